#!/bin/sh
# example.sh FILE LIBRARY PROGRAM: compiles and runs the first program shown in FILE, which is
# expected to notice that its standard input is readable, and to print something.
set -eu
cd "$(dirname "$0")/../.."
file=$1 library=$2 program=$3

if [ ! -e "$file" ]; then
    echo "there is no $file"
    exit 77
fi
case $file in
*.h | *.hpp) # in the first comment, from the first #include to the end of the function
    sed -n '/^ \*     #include/,/^ \*     }/ { s/^ \* \{0,5\}//; p; }' "$file" ;;
*.md) # the first block of C that has a main
    awk '/^```c$/ { code = ""; inside = 1; next }
         /^```$/ { if (inside && code ~ /int main/) { printf "%s", code; exit } inside = 0 }
         inside { code = code $0 "\n" }' "$file" ;;
esac >"$program.c"

compiler="$CC -std=c11"
[ "${file#*.hpp}" = "$file" ] || compiler='g++ -x c++ -std=c++17'
# shellcheck disable=SC2086
$compiler -Wall -Wextra -Wpedantic -Werror -Iinclude "$program.c" -x none "$library" -pthread -o "$program"
output=$(echo input | "$program")
if [ -z "$output" ]; then
    echo "it printed nothing"
    exit 1
fi
