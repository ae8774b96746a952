#!/bin/sh
# python.sh LIBRARY FOLDER: the binding for Python, made from the header and tested against the
# shared library. cffi comes from Python's registry where it is not installed.
set -eu
library=$1 work=$2/python
cd "$(dirname "$0")/../.."

mkdir -p "$work"
cp bindings/python/*.py "$work"
python3 bindings/python/generate.py include/pollux.h >"$work/pollux.cdef"
export PYTHONPATH="$work/packages" POLLUX_LIBRARY="$library"
if ! python3 -c 'import cffi' 2>/dev/null && ! python3 -m pip install -q --target "$work/packages" cffi==2.1.1; then
    echo "skip: no cffi to be had"
    exit 77
fi
exec python3 "$work/test_pollux.py"
