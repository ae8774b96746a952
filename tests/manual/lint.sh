#!/bin/sh
# lint.sh FOLDER: mandoc has nothing to say of the manual pages there, and each of them shows text.
set -eu
cd "$1"

if ! command -v mandoc >/dev/null; then
    echo "there is no mandoc here"
    exit 77
fi
# A file that only names another is read as that one, and mandoc would rather have a link.
# shellcheck disable=SC2046
mandoc -Tlint -Wwarning $(grep -L '^\.so' man?/*)
for page in man?/*; do
    mandoc "$page" | grep -q . || { echo "$page is empty" && exit 1; }
done
