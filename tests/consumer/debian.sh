#!/bin/sh
# debian.sh FOLDER: installs Pollux's packages from FOLDER, uses what they brought, and purges them. For
# a system that is thrown away afterwards.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../scripts/lib.sh"
cd "$1"
export CC=gcc

# What is there, without what apt, dpkg and man note for themselves.
files()
{
    find / -xdev \( -path /proc -o -path /dev -o -path /tmp -o -path "$PWD" -o -path /var/log -o -path /var/cache -o \
        -path /var/lib/apt -o -name '*-old' \) -prune -o -print | sort
}

files >/tmp/before
took=$(seconds apt-get install -y ./libpollux0_*.deb ./libpollux-dev_*.deb ./pollux-tools_*.deb)
echo "installed: $took; from there:"
mkdir /tmp/work
ln -s /usr /tmp/work/prefix
for app in app.c app.cpp; do
    for way in find_package_static find_package_shared pkg_config_static pkg_config_shared; do
        took=$(seconds "$here/build.sh" $way /tmp/work $app)
        echo "$way, $app: $took"
    done
done

# It runs its command, which ends it by a signal that it passes on.
mkdir /tmp/watched
status=0
# shellcheck disable=SC2016
said=$(plx-watch /tmp/watched -- sh -c 'trap "exit 7" TERM; echo ran; kill $PPID; sleep 60 & wait') || status=$?
echo "plx-watch: $said, status $status"
[ "$said $status" = 'ran 7' ]
for page in plx_register PLX_EDGE pollux plx-watch; do
    man "$page" | grep -q "$page"
done
echo "man: $(man -f plx_register)"

quietly apt-get purge -y libpollux0 libpollux-dev pollux-tools
files >/tmp/after
diff /tmp/before /tmp/after
echo "purged: nothing is left"
