#!/bin/sh
# run.sh PROGRAM [FILE]: it has something to read, succeeds, and prints what is in FILE.
set -eu
case $1 in
*/crowd) exec "$(dirname "$0")/../../examples/run_echo_server.sh" "$1" ;;
esac
said=$(echo input | "$1")
echo "$said"
[ $# = 1 ] || [ "$said" = "$(cat "$2")" ]
