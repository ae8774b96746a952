#!/bin/sh
# build.sh WAY FOLDER: builds app.c in one of the ways to get pollux, in FOLDER/WAY, and runs it.
set -eu
way=$1
work=$2/$way
prefix=$2/prefix
here=$(cd "$(dirname "$0")" && pwd)
pollux=$(cd "$here/../.." && pwd)

rm -rf "$work"
mkdir -p "$work"
cd "$work"

with_cmake()
{
    cmake -S "$here" -B . -DPOLLUX="$pollux" "$@"
    cmake --build .
}

# with_pkg_config [-static]: an option of the compiler, and, with one more dash, of pkg-config.
# shellcheck disable=SC2046,SC2086
with_pkg_config()
{
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name pollux.pc)")
    export PKG_CONFIG_PATH
    "$CC" -std=c11 "$here/app.c" $(pkg-config --cflags --libs ${1:+-$1} pollux) ${1:-} -o app
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir pollux)
    export LD_LIBRARY_PATH
}

case $way in
find_package_static) with_cmake -DWAY=find_package -DCMAKE_PREFIX_PATH="$prefix" ;;
find_package_shared) with_cmake -DWAY=find_package -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_SHARED_LIBS=ON ;;
add_subdirectory | fetch_content) with_cmake -DWAY="$way" ;;
pkg_config_shared) with_pkg_config ;;
pkg_config_static) with_pkg_config -static ;;
sources)
    "$CC" -std=c11 -I"$pollux/include" -I"$pollux/src" "$here/app.c" "$pollux"/src/*/*.c -pthread -o app
    ;;
esac
./app

# The way decides what the program is linked to.
case $way in
*_shared) readelf -d app | grep libpollux.so.0 ;;
*) ! readelf -d app | grep libpollux ;;
esac
