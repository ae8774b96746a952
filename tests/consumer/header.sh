#!/bin/sh
# header.sh COMPILER: the header alone, and a program that uses it, compile without a warning.
set -eu
cd "$(dirname "$0")/../.."

if ! command -v "$1" >/dev/null; then
    echo "there is no $1 here"
    exit 77
fi
case $1 in
*++) language='-x c++ -std=c++17' ;;
*) language='-x c -std=c11' ;;
esac

# shellcheck disable=SC2086
check()
{
    "$compiler" $language -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror \
        -Iinclude "$1"
}

compiler=$1
echo '#include <pollux.h>' | check -
check tests/consumer/app.c
case $compiler in
*++) echo '#include <pollux.hpp>' | check - ;;
esac
