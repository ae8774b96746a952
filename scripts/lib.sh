# Shared by the scripts of this folder: sourced, with the current folder at the top of the tree.
# shellcheck shell=sh

# need COMMAND=PACKAGE...: installs the Debian packages of the commands that are missing.
need()
{
    missing=
    for pair; do
        command -v "${pair%%=*}" >/dev/null && continue
        case "$missing " in
        *" ${pair#*=} "*) ;;
        *) missing="$missing ${pair#*=}" ;;
        esac
    done
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_packages $missing
}

# install_packages PACKAGE...
install_packages()
{
    if ! command -v apt-get >/dev/null; then
        echo "$0: please install first (names of Debian packages): $*" >&2
        exit 1
    elif [ "$(id -u)" = 0 ]; then
        as_root='env'
    elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root='sudo env'
    else
        echo "$0: please install first: apt-get install $*" >&2
        exit 1
    fi

    quietly sh -c "$as_root DEBIAN_FRONTEND=noninteractive apt-get update &&
        $as_root DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $*"
}

# quietly COMMAND...: its output is shown only if it fails.
quietly()
{
    if output=$("$@" 2>&1); then
        return 0
    fi
    printf '%s\n' "$output"
    return 1
}

# seconds COMMAND...: prints how long it took; its output is shown only if it fails.
seconds()
{
    started=$(date +%s.%N)
    output=$("$@" 2>&1) || { printf '%s\n' "$output" >&2 && return 1; }
    echo "$started $(date +%s.%N)" | awk '{ printf "%.1f s", $2 - $1 }'
}

# build PRESET [CMAKE OPTION...]: configures and builds in build/PRESET.
build()
{
    preset=$1
    shift
    quietly cmake --preset "$preset" "$@" && quietly cmake --build --preset "$preset" -j "$(nproc)" -- --quiet
}

# source_archive VERSION FILE: the committed tree as a .tar.gz, or what it will be once everything that
# git knows of is committed. The same tree is the same archive.
source_archive()
{
    changed=$(git stash create)
    git archive --prefix="pollux-$1/" -o "${2%.gz}" "${changed:-HEAD}" && gzip -9nf "${2%.gz}"
}

# meson_wrap TEMPLATE ARCHIVE: the wrap file of a source archive pollux-VERSION.tar.gz.
meson_wrap()
{
    version=${2##*/pollux-}
    version=${version%.tar.gz}
    sum=$(sha256sum "$2" | cut -d ' ' -f 1)
    sed "s/@VERSION@/$version/; s/@SHA256@/$sum/" "$1"
}

# need_site: what builds the site and drives a browser, from PyPI; it stays in build/site.venv.
need_site()
{
    cmp -s tools/site/requirements.txt build/site.venv/requirements.txt && return
    python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv &&
        mkdir -p build &&
        quietly python3 -m venv --clear build/site.venv &&
        quietly build/site.venv/bin/pip install --quiet -r tools/site/requirements.txt &&
        cp tools/site/requirements.txt build/site.venv/
}
