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

# build PRESET [CMAKE OPTION...]: configures and builds in build/PRESET.
build()
{
    preset=$1
    shift
    quietly cmake --preset "$preset" "$@" && quietly cmake --build --preset "$preset" -j "$(nproc)" -- --quiet
}
