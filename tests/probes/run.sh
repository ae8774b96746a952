#!/bin/sh
# run.sh listed|counted|latency PROGRAM: the probes of a program that is linked with the library.
#
# listed   the notes in it name those that docs/tracing.md does
# counted  a tracer that looks in meets each as often as the program says
# latency  tools/latency.bt draws its histograms of it
set -eu
top=$(dirname "$0")/../..
program=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

need_bpftrace()
{
    bpftrace -e 'BEGIN { exit(); }' >"$work/said" 2>&1 && return
    echo "skip: bpftrace cannot run here: $(tail -n 1 "$work/said")"
    exit 77
}

case $1 in
listed)
    readelf -n "$program" | sed -n '/Provider: pollux/{n; s/.*Name: //p;}' | sort -u >"$work/noted"
    sed -n 's/^| `\([a-z_]*\)(.*/\1/p' "$top/docs/tracing.md" | sort >"$work/listed"
    diff "$work/listed" "$work/noted"
    [ -s "$work/noted" ]
    ;;
counted)
    need_bpftrace
    for name in $(readelf -n "$program" | sed -n '/Provider: pollux/{n; s/.*Name: //p;}' | sort -u); do
        echo "usdt:$program:pollux:$name { @counts[\"$name\"] = count(); }"
    done >"$work/count.bt"
    bpftrace -c "$program" "$work/count.bt" >"$work/log" 2>&1
    sed -n 's/^\([a-z_]* [0-9]*\)$/\1/p' "$work/log" | sort >"$work/said"
    sed -n 's/^@counts\[\([a-z_]*\)\]: /\1 /p' "$work/log" | sort >"$work/counted"
    [ -s "$work/said" ] && diff "$work/said" "$work/counted" && exit
    cat "$work/log"
    exit 1
    ;;
latency)
    need_bpftrace
    "$program" 20 >/dev/null & # in which bpftrace is ready, also on a busy machine
    bpftrace -p $! "$top/tools/latency.bt" >"$work/log" 2>&1
    wait
    for drawn in waited_us handled_us timer_late_us wake_to_return_us; do
        grep -A 1 "^@$drawn:" "$work/log" | grep '|' || { cat "$work/log"; exit 1; }
    done
    ;;
esac
