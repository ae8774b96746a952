#!/bin/sh
# run.sh COMPILER STANDARD LIBRARY FOLDER: the tests of pollux.hpp and the examples in C++, with
# more warnings than a user has; they are also valid as C++20, and without exceptions.
set -eu
cd "$(dirname "$0")/../.."
compiler=$1 standard=$2 library=$3 program=$4/cpp.$1.$2

if ! command -v "$compiler" >/dev/null; then
    echo "there is no $compiler here"
    exit 77
fi
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnull-dereference -Wextra-semi -Wnon-virtual-dtor'
case $compiler in # clang's would be of the C header
g++*) warnings="$warnings -Wold-style-cast" ;;
esac
case $standard in # the name that older compilers have for it
23) standard=2b ;;
esac

mkdir -p "$4"
for source in tests/cpp/*.cpp examples/cpp_*.cpp; do
    # shellcheck disable=SC2086
    "$compiler" -std="c++$standard" $warnings -Werror -Iinclude "$source" "$library" -pthread -o "$program"
    "$program"
done
# shellcheck disable=SC2086
"$compiler" -std=c++20 $warnings -Werror -fno-exceptions -fno-rtti -Iinclude -fsyntax-only tests/cpp/*.cpp
