# SPDX-License-Identifier: MIT
"""The rounds, with programs that are made up: python3 -m unittest, in this folder."""
import contextlib
import io
import json
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import rounds
from workloads import BY_NAME, systems_of

CHURN = BY_NAME["churn"]


class Rounds(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="rounds-test-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.file, self.said = io.StringIO(), io.StringIO()
        self.log = rounds.Log(self.file, [self.folder / "nothing", self.folder])

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run_rounds(self, count: int = 1, names: tuple[str, ...] = ("churn",)) -> list[dict[str, Any]]:
        with contextlib.redirect_stderr(self.said):
            for at in range(1, count + 1):
                rounds.run_round(self.log, at, list(names), quick=True)
        return [json.loads(line) for line in self.file.getvalue().splitlines()]

    def test_what_is_short_has_several_turns_in_a_round(self) -> None:
        self.program("churn_epoll", """echo '{"cpu_ns": 5}'""")
        for at in (1, 2):
            rounds.run_round(self.log, at, ["churn"], quick=False)
        records = [json.loads(line) for line in self.file.getvalue().splitlines()]
        turns = [record["round"] for record in self.of(records, "epoll") if record["case"] == CHURN.cases[0]]
        self.assertEqual(turns, list(range(1, 2 * CHURN.times + 1)))

    def of(self, records: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
        return [record for record in records if record["system"] == system]

    def test_a_result_is_kept_with_round_system_and_case(self) -> None:
        self.program("churn_epoll", """echo '{"cpu_ns": 5}'""")
        epoll = self.of(self.run_rounds(2), "epoll")
        self.assertEqual([record["round"] for record in epoll], [1, 2])
        self.assertEqual(epoll[0]["result"], {"cpu_ns": 5})
        self.assertEqual(epoll[0]["case"], {"n": 1000})

    def test_direct_epoll_runs_twice_in_a_round(self) -> None:
        self.program("churn_epoll", """echo '{"cpu_ns": 5}'""")
        records = self.run_rounds()
        self.assertEqual([record["type"] for record in records if record["system"].startswith("epoll")],
                         ["result", "result"])

    def test_a_program_gets_the_case_and_the_backend(self) -> None:
        self.program("churn_pollux", """echo "{\\"said\\": \\"$*\\"}" """)
        records = self.run_rounds()
        self.assertEqual(self.of(records, "pollux io_uring")[0]["result"], {"said": "--n 1000 --backend io_uring"})

    def test_the_order_of_systems_changes_from_round_to_round(self) -> None:
        for system in systems_of(CHURN):
            self.program(f"churn_{system.program}", """echo '{"cpu_ns": 5}'""")
        records = self.run_rounds(5)
        orders = {tuple(record["system"] for record in records if record["round"] == at) for at in range(1, 6)}
        self.assertEqual(len(orders), 5)
        self.assertTrue(all(len(set(order)) == len(systems_of(CHURN)) for order in orders))

    def test_what_cannot_be_done_is_asked_once_and_says_why(self) -> None:
        self.program("churn_libev", "echo 'churn_libev: a limit' >&2; exit 77")
        libev = self.of(self.run_rounds(3), "libev")
        self.assertEqual([(record["type"], record["reason"]) for record in libev], [("skipped", "a limit")])
        self.assertEqual(self.log.failures, 0)

    def test_a_program_that_is_not_there_is_a_skip(self) -> None:
        mio = self.of(self.run_rounds(), "mio")
        self.assertEqual([(record["type"], record["reason"]) for record in mio], [("skipped", "no such program")])

    def test_a_failure_is_kept_counted_and_tried_again(self) -> None:
        self.program("churn_amy", "echo broken >&2; exit 3")
        self.program("churn_vmm", "echo not json")
        self.program("churn_mio", "true")
        records = self.run_rounds(2)
        self.assertEqual([record["reason"] for record in self.of(records, "amy")], ["ended with 3: broken"] * 2)
        self.assertEqual(self.of(records, "vmm")[0]["reason"], "printed what is no JSON: not json")
        self.assertEqual(self.of(records, "mio")[0]["reason"], "printed nothing")
        self.assertEqual(self.log.failures, 6)
        self.assertIn("failed: churn amy --n 1000: ended with 3: broken", self.said.getvalue())

    def test_a_program_that_hangs_is_ended_with_its_children(self) -> None:
        self.program("churn_amy", f"sleep 600 & echo $! >{self.folder}/child; wait")
        patience = rounds.PATIENCE
        rounds.PATIENCE = 1
        self.addCleanup(setattr, rounds, "PATIENCE", patience)
        amy = self.of(self.run_rounds(), "amy")
        self.assertEqual(amy[0]["reason"], "took longer than 1 s")
        child = int((self.folder / "child").read_text())
        for _ in range(200):
            if gone(child):
                return
            time.sleep(0.05)
        self.fail("its child is still there")


class Files(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="rounds-test-")
        self.addCleanup(temporary.cleanup)
        self.output = Path(temporary.name) / "raw.jsonl"

    def write(self, text: str, cut_short: bool = False) -> None:
        with contextlib.suppress(SystemExit), rounds.in_the_end(self.output) as file:
            file.write(text)
            if cut_short:
                raise SystemExit(130)

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.output.parent.iterdir()}

    def test_a_run_takes_the_place_of_the_one_before(self) -> None:
        for text in "abc":
            self.write(text)
        self.assertEqual(self.files(), {"raw.jsonl": "c", "raw.previous.jsonl": "b"})

    def test_runs_that_are_cut_short_leave_the_full_ones_alone(self) -> None:
        for text in "ab":
            self.write(text)
        for text in "cd":
            self.write(text, cut_short=True)
        self.assertEqual(self.files(), {"raw.jsonl": "b", "raw.previous.jsonl": "a", "raw.partial.jsonl": "d"})


def gone(child: int) -> bool:
    try:
        return Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


if __name__ == "__main__":
    unittest.main()
