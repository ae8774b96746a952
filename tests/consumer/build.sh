#!/bin/sh
# build.sh WAY FOLDER [APP [RELEASE]]: builds app.c, or APP, in one of the ways to get pollux, in a
# folder of its own in FOLDER, and runs it. What a release ships as archives is taken from RELEASE.
set -eu
way=$1
app=${3:-app.c}
work=$2/$way.${app##*.}
prefix=$2/prefix
release=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
pollux=$(cd "$here/../.." && pwd)

rm -rf "$work"
mkdir -p "$work"
cd "$work"

with_cmake()
{
    cmake -S "$here" -B . -DAPP="$app" -DPOLLUX="$pollux" "$@"
    cmake --build .
}

# compile ARGUMENT...: the app, with what is to be told to the compiler of its language.
compile()
{
    case $app in
    *.cpp) "${CXX:-c++}" -std=c++17 "$here/$app" "$@" -o app ;;
    *) "$CC" -std=c11 "$here/$app" "$@" -o app ;;
    esac
}

# A tool that is not here comes from Python's registry, by a fixed version, for the builds below WORK.
with_python_tool()
{
    tools=${work%/*}/tools.$1
    PATH=$PATH:$tools/bin
    export PYTHONPATH="$tools"
    command -v "$1" >/dev/null || python3 -m pip install -q --target "$tools" "$1==$2" && return
    echo "skip: no $1 to be had"
    exit 77
}

# By the wrap file, and an archive of what a release has of the library.
with_meson()
{
    with_python_tool meson 1.12.1
    . "$pollux/scripts/lib.sh"
    archives=subprojects/packagefiles
    mkdir -p $archives
    if [ "$release" ]; then
        cp "$release"/pollux-*.tar.gz $archives
        cp "$release/pollux.wrap" subprojects
    else
        version=$("$pollux/scripts/version")
        tar -czf "$archives/pollux-$version.tar.gz" -C "$pollux" --transform "s|^|pollux-$version/|" \
            meson.build cmake include src
        meson_wrap "$pollux/packaging/meson/pollux.wrap.in" "$archives/pollux-$version.tar.gz" \
            >subprojects/pollux.wrap
    fi
    cp "$here/$app" .
    sed "s/'c'/'${app##*.}'/; s/app\.c/$app/" "$here/meson.build" >meson.build
    meson setup build
    meson compile -C build
    cp build/app .
}

# In a cache of its own.
with_conan()
{
    with_python_tool conan 2.34.0
    export CONAN_HOME="$work/home"
    conan profile detect
    conan create "$pollux/packaging/conan"
    conan install --requires "pollux/[*]" -g CMakeToolchain -of .
    with_cmake -DWAY=find_package -DCMAKE_TOOLCHAIN_FILE=conan_toolchain.cmake -DCMAKE_BUILD_TYPE=Release
}

# with_pkg_config [-static]: an option of the compiler, and, with one more dash, of pkg-config.
# shellcheck disable=SC2046,SC2086
with_pkg_config()
{
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix/" -name pollux.pc)")
    export PKG_CONFIG_PATH
    compile $(pkg-config --cflags --libs ${1:+-$1} pollux) ${1:-}
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir pollux)
    export LD_LIBRARY_PATH
}

# One file beside the program.
with_amalgamation()
{
    if [ "$release" ]; then
        tar --strip-components=1 -xf "$release"/pollux-*-amalgamation.tar.gz
    else
        "$pollux/tools/amalgamate" .
    fi
    "$CC" -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -c pollux.c
    compile -I. pollux.o -pthread
}

# By the address and the sum of an archive, where there is one.
with_fetch_content()
{
    if [ "$release" ]; then
        pollux=$release/pollux-$("$pollux/scripts/version").tar.gz
        set -- -DSHA256="$(sha256sum "$pollux" | cut -d ' ' -f 1)"
    fi
    with_cmake -DWAY=fetch_content "$@"
}

case $way in
find_package_static) with_cmake -DWAY=find_package -DCMAKE_PREFIX_PATH="$prefix" ;;
find_package_shared) with_cmake -DWAY=find_package -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_SHARED_LIBS=ON ;;
add_subdirectory) with_cmake -DWAY=add_subdirectory ;;
pkg_config_shared) with_pkg_config ;;
pkg_config_static) with_pkg_config -static ;;
meson | conan | amalgamation | fetch_content) with_"$way" ;;
sources) compile -I"$pollux/include" -I"$pollux/src" "$pollux"/src/*/*.c -pthread ;; # of C alone
esac
./app

# The way decides what the program is linked to.
case $way in
*_shared) readelf -d app | grep libpollux.so.0 ;;
*) ! readelf -d app | grep libpollux ;;
esac
