#!/bin/sh
# SPDX-License-Identifier: MIT
# The test of echo_server: run_echo_server.sh [EMULATOR ARGUMENT] EXECUTABLE
if ! command -v python3 >/dev/null; then
    echo "python3 is not here: skipped"
    exit 77
fi
exec python3 "$(dirname "$0")/echo_server_test.py" "$@"
