#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the programs of all systems in rounds, and writes a JSON object for each run of one.

In a round each case is measured by all systems one after the other, in an order that is drawn
anew: a ratio within a round compares what met the same weather. What is short has several such
turns in a round, which the figures count as rounds. Direct epoll runs twice, as
"epoll" and "epoll again", whose ratio is the noise. A program that ends with 77 cannot do the
case, says why, and is not asked again.
"""
import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import machine
from workloads import BY_NAME, WORKLOADS, Case, System, Workload, arguments, systems_of

PATIENCE = 180  # seconds for one run of a program


class Failed(Exception):
    """A program that did not do what it should; the text says what instead."""


class Skipped(Exception):
    """A system that cannot do it; the text says why."""


def find(folders: list[Path], name: str) -> Path:
    for folder in folders:
        if os.access(folder / name, os.X_OK):
            return folder / name
    raise Skipped("no such program")


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def run(command: list[str]) -> list[dict[str, Any]]:
    """What the program printed. It has a process group of its own, with which its children end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               text=True, start_new_session=True)
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failed(f"took longer than {PATIENCE} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode == 77:
        reason = last_line(errors) or last_line(output) or "no reason was given"
        raise Skipped(reason.removeprefix(f"{Path(command[0]).name}: "))
    if process.returncode != 0:
        raise Failed(f"ended with {process.returncode}: {last_line(errors)}")
    try:
        results = [json.loads(line) for line in output.splitlines()]
    except ValueError:
        raise Failed(f"printed what is no JSON: {last_line(output)[:100]}") from None
    if not results:
        raise Failed("printed nothing")
    return results


def measure(folders: list[Path], workload: Workload, system: System, case: Case) -> list[dict[str, Any]]:
    program = find(folders, f"{workload.name}_{system.program}")
    return run([str(program), *arguments(case, system)])


class Log:
    def __init__(self, file: TextIO, folders: list[Path]) -> None:
        self.file, self.folders = file, folders
        self.hopeless: set[str] = set()  # what ended with 77
        self.failures = 0

    def write(self, record: dict[str, Any]) -> None:
        self.file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.file.flush()

    def measure(self, at: int, workload: Workload, system: System, case: Case) -> None:
        name = f"{workload.name} {system.name} {case}"
        if name in self.hopeless:
            return
        record = {"type": "result", "round": at, "workload": workload.name, "system": system.name, "case": case}
        try:
            for result in measure(self.folders, workload, system, case):
                self.write(record | {"result": result})
        except Skipped as skipped:
            self.hopeless.add(name)
            self.write(record | {"type": "skipped", "reason": str(skipped)})
        except Failed as failed:
            self.failures += 1
            print(f"failed: {workload.name} {system.name} {' '.join(arguments(case, system))}: {failed}",
                  file=sys.stderr)
            self.write(record | {"type": "failed", "reason": str(failed)})


def run_round(log: Log, at: int, names: list[str], quick: bool) -> None:
    for workload in WORKLOADS:
        if workload.name not in names:
            continue
        for turn in workload.turns(at, quick):
            run_turn(log, turn, workload, quick)


def run_turn(log: Log, turn: int, workload: Workload, quick: bool) -> None:
    for case in workload.quick if quick else workload.cases:
        systems = systems_of(workload)
        random.Random(f"{turn} {workload.name} {case}").shuffle(systems)
        for system in systems:
            log.measure(turn, workload, system, case)


def raise_descriptors() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def stop(number: int, _: object) -> None:
    sys.exit(128 + number)  # by way of what ends the program that runs


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter runs")
    parser.add_argument("--programs", type=Path, action="append", required=True, help="a folder of programs")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("workloads", nargs="*", choices=[*BY_NAME, []], metavar="WORKLOAD")
    return parser.parse_args()


@contextmanager
def in_the_end(output: Path) -> Iterator[TextIO]:
    """Written as NAME.partial.jsonl, which a run that is cut short leaves behind. One that comes to
    its end becomes NAME.jsonl, and the one before it NAME.previous.jsonl."""
    partial, previous = (output.with_suffix(f".{name}{output.suffix}") for name in ("partial", "previous"))
    with partial.open("w") as file:
        yield file
    if output.exists():
        output.replace(previous)
    partial.replace(output)


def main() -> int:
    chosen = options()
    names = chosen.workloads or list(BY_NAME)
    raise_descriptors()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    with in_the_end(chosen.output) as file:
        log = Log(file, chosen.programs)
        log.write({"type": "run", "rounds": chosen.rounds, "quick": chosen.quick, **machine.describe()})
        for at in range(1, chosen.rounds + 1):
            started, load = time.monotonic(), os.getloadavg()[0]
            run_round(log, at, names, chosen.quick)
            print(f"round {at} of {chosen.rounds}: {time.monotonic() - started:.0f} s (load before it: {load:.1f})")
    return 1 if log.failures else 0


if __name__ == "__main__":
    sys.exit(main())
