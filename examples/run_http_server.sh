#!/bin/sh
# SPDX-License-Identifier: MIT
# A test of http_server: run_http_server.sh EXECUTABLE [SCRIPT]
if ! command -v python3 >/dev/null; then
    echo "python3 is not here: skipped"
    exit 77
fi
exec python3 "$(dirname "$0")/${2:-http_server_test.py}" "$1"
