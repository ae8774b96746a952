#!/bin/sh
# refusals.sh FOLDER: a tree that is not ready is not released: scripts/release says why, before it makes
# anything. In a repository of its own with all that it looks at.
set -eu
work=$1/release
cd "$(dirname "$0")/../.."

command -v git >/dev/null || { echo "skip: there is no git here" && exit 77; }
rm -rf "$work"
mkdir -p "$work"
tar -cf - --exclude='scripts/__pycache__' CMakeLists.txt CHANGELOG.md README.md meson.build abi include packaging scripts \
    tests/consumer | tar -xf - -C "$work"
cd "$work"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
version=$(scripts/version)
echo /build/ >.gitignore

commit()
{
    git add -A
    git commit -qm tree
}

# refused VERSION WORDS: with these words, and nothing was made.
refused()
{
    if said=$(scripts/release "$1" --dry-run 2>&1); then
        echo "not refused: $2"
        exit 1
    fi
    case $said in
    *"$2"*) ;;
    *) printf 'not said: %s\n%s\n' "$2" "$said" && exit 1 ;;
    esac
    [ ! -e build ]
}

git init -q .
sed -i "s/^## $version,.*/## $version, not yet released/" CHANGELOG.md
commit
refused "$version" 'has no date'
sed -i "s/^## $version,.*/## $version, 2026-01-01/" CHANGELOG.md
refused "$version" 'not everything is committed'
commit
refused 99.0.0 "the tree is version $version"
git tag "v$version"
refused "$version" "there is a tag v$version"
git tag -d "v$version" >/dev/null

# Each place that has the version.
for file in include/pollux.h meson.build packaging/vcpkg/pollux/vcpkg.json packaging/debian/changelog CHANGELOG.md \
    README.md tests/consumer/CMakeLists.txt; do
    sed -i "s/${version%.*}/99.9/" $file
    commit
    refused "$version" "$file: '99.9"
    git reset -q --hard HEAD~1
done
