# SPDX-License-Identifier: MIT
"""The figures of the report, from results that are made up: python3 -m unittest, in this folder."""
import json
import math
import unittest
from typing import Any

import page
import places
import results
import tables
from results import Spread
from workloads import AGAIN, BY_NAME, SYSTEMS, WORKLOADS, Metric, arguments, systems_of

CHURN, RING, TIMERS, ECHO, MEMORY = (BY_NAME[name] for name in ("churn", "ring", "timers", "echo", "memory"))
KEY = (1000,)
RUN = {"type": "run", "date": "2026-01-02 03:04 UTC", "rounds": 3, "quick": False, "kernel": "Linux 6.18",
       "machine": {"cpu": "a CPU", "cores": 2, "virtual": True, "memory_mib": 2048},
       "versions": {"pollux": "0.1.0", "libev": "4.33"}}


def line(system: str, at: int, figures: dict[str, Any], workload: str = "churn", **case: Any) -> str:
    return json.dumps({"type": "result", "round": at, "workload": workload, "system": system,
                       "case": case or {"n": 1000}, "result": {"workload": workload, "system": "x"} | figures})


def churn(figures: dict[str, list[float]], key: str = "cpu_ns") -> results.Results:
    return results.read([json.dumps(RUN), *(line(system, at, {key: value}) for system, values in figures.items()
                                            for at, value in enumerate(values, 1))])


class Figures(unittest.TestCase):
    def test_quartiles_are_those_of_the_values(self):
        self.assertEqual(results.spread([5, 1, 4, 2, 3]), Spread(3, 2, 4))
        self.assertEqual(results.spread([1, 2]), Spread(1.5, 1.25, 1.75))

    def test_one_value_is_its_own_quartiles_and_none_has_none(self):
        self.assertEqual(results.spread([7]), Spread(7, 7, 7))
        self.assertIsNone(results.spread([]))

    def test_ratios_are_taken_within_a_round(self):
        """A round in which the machine is twice as slow changes the medians, and no ratio."""
        found = churn({"epoll": [100, 200, 100], "pollux": [110, 220, 110]})
        self.assertEqual(found.ratio(CHURN, KEY, "pollux", CHURN.metrics[0]), Spread(1.1, 1.1, 1.1))

    def test_a_round_that_lacks_one_side_has_no_ratio(self):
        self.assertEqual(results.paired({1: 10, 2: 20}, {2: 10, 3: 10}), Spread(2, 2, 2))
        self.assertIsNone(results.paired({1: 10}, {2: 10}))
        self.assertIsNone(results.paired({1: 10}, {1: 0}))

    def test_figures_are_in_the_unit_of_their_metric(self):
        found = results.read([line("epoll", 1, {"server_cpu_ns": 4820}, "echo", connections=100, seconds=2)])
        self.assertEqual(found.spread(ECHO, (100,), "epoll", ECHO.metrics[0]), Spread(4.82, 4.82, 4.82))

    def test_what_is_not_described_is_a_figure_all_the_same(self):
        found = results.read([line("epoll", 1, {"bytes_per_timer": 40, "backend": "epoll", "n": 5}, "memory", x=1)])
        self.assertEqual(found.metrics(MEMORY), [Metric("bytes_per_timer", "bytes per timer", "bytes")])


class CutShort(unittest.TestCase):
    WHOLE = [json.dumps(RUN) + "\n", line("epoll", 1, {"cpu_ns": 5}) + "\n"]

    def test_half_a_last_line_is_ignored(self):
        half = line("epoll", 2, {"cpu_ns": 7})[:-9]
        found = results.read([*self.WHOLE, half])
        self.assertEqual(found.rounds(CHURN, KEY, "epoll", CHURN.metrics[0]), {1: 5})

    def test_half_a_line_before_the_last_is_an_error(self):
        with self.assertRaises(ValueError):
            results.read([*self.WHOLE, "{\n", self.WHOLE[1]])

    def test_the_rounds_that_there_are_count(self):
        self.assertIn(("rounds", "1 of 3, then it was cut short"), page.facts(results.read(self.WHOLE)))
        whole = results.read([*self.WHOLE, *(line("epoll", turn, {"cpu_ns": 5}) for turn in range(2, 10))])
        self.assertIn(("rounds", "3"), page.facts(whole))


class Cases(unittest.TestCase):
    def test_a_case_is_what_was_asked_for(self):
        """Programs may say that they took another number, as --smoke has them do."""
        case = {"mode": "edge", "n": 100, "a": 1, "events": 5}
        self.assertEqual(results.key_of(RING, case, {"n": 90, "kind": "socket"}), ("socket", "edge", 100, 1))
        self.assertEqual(results.key_of(RING, case | {"eventfd": True}, {}), ("eventfd", "edge", 100, 1))

    def test_how_long_a_run_is_makes_no_case(self):
        two = [line("epoll", at, {"cpu_ns": 1}, "ring", mode="level", n=10, a=1, events=at) for at in (1, 2)]
        self.assertEqual(results.read(two).keys(RING), [("socket", "level", 10, 1)])

    def test_arguments_are_long_options_with_values(self):
        pollux = next(system for system in SYSTEMS if system.backend == "io_uring")
        self.assertEqual(arguments({"n": 10, "eventfd": True}, pollux), "--n 10 --eventfd --backend io_uring".split())

    def test_poll_is_given_fewer_events_where_it_looks_at_many_for_each(self):
        poll = next(system for system in SYSTEMS if system.backend == "poll")
        few = arguments({"n": 9000, "a": 1, "events": 40000}, poll)
        self.assertEqual(few[few.index("--events") + 1], "444")
        same = arguments({"n": 9000, "a": 9000, "events": 40000}, poll)
        self.assertEqual(same[same.index("--events") + 1], "40000")

    def test_every_case_has_arguments_on_every_system(self):
        for workload in WORKLOADS:
            for case in workload.cases + workload.quick:
                for system in systems_of(workload):
                    given = arguments(case, system)
                    self.assertEqual([word for word in given if word.startswith("--")],
                                     [f"--{name}" for name in case] + ["--backend"] * bool(system.backend))

    def test_each_turn_is_one_of_its_round(self):
        for workload in WORKLOADS:
            for quick in (False, True):
                turns = [turn for at in (1, 2, 3) for turn in workload.turns(at, quick)]
                self.assertEqual(turns, list(range(1, len(turns) + 1)))
                self.assertTrue(all(workload.round_of(turn, quick) == 2 for turn in workload.turns(2, quick)))

    def test_direct_epoll_runs_twice_in_every_workload(self):
        for workload in WORKLOADS:
            names = [system.name for system in systems_of(workload)]
            self.assertIn(AGAIN, names)
            self.assertIn("pollux", names)
            self.assertEqual("pollux poll" in names, workload.backends)


class BehindOthers(unittest.TestCase):
    def peers(self, figures: dict[str, list[float]], key: str = "cpu_ns") -> list[str]:
        return [row.peer for row in results.behind(churn(figures, key))]

    def test_a_peer_that_takes_less_is_ahead(self):
        self.assertEqual(self.peers({"epoll": [100, 101, 102], AGAIN: [101, 101, 101], "pollux": [120, 121, 122],
                                     "libev": [20, 20, 20], "mio": [130, 130, 130]}), ["epoll", "libev"])

    def test_what_is_within_the_noise_is_not_behind(self):
        self.assertEqual(self.peers({"epoll": [100, 100, 100], AGAIN: [110, 110, 110], "pollux": [105, 105, 105]}), [])

    def test_noise_counts_to_both_sides(self):
        self.assertEqual(self.peers({"epoll": [100, 100, 100], AGAIN: [90, 90, 90], "pollux": [105, 105, 105]}), [])

    def test_quartiles_on_both_sides_of_one_are_not_behind(self):
        self.assertEqual(self.peers({"epoll": [100] * 4, AGAIN: [100] * 4, "pollux": [90, 95, 130, 140]}), [])

    def test_a_peer_that_takes_nothing_is_ahead(self):
        rows = results.behind(churn({"pollux": [25, 25], "mio": [0, 0], "epoll": [0, 0]}))
        self.assertEqual([row.ratio.middle for row in rows], [math.inf, math.inf])
        self.assertIn("the peer's is 0", tables.behind_table(rows).rows[0])

    def test_more_requests_are_better(self):
        rows = [json.dumps(RUN)]
        for system, value in (("epoll", 100), (AGAIN, 100), ("pollux", 90), ("mio", 120), ("amy", 50)):
            rows += [line(system, at, {"requests_per_s": value}, "echo", connections=100) for at in (1, 2, 3)]
        self.assertEqual([row.peer for row in results.behind(results.read(rows))], ["epoll", "mio"])

    def test_what_the_scheduler_decides_is_in_the_tables_alone(self):
        rows = [line(system, at, {"ns": value, "calls": value}, "channels", senders=1) for at in (1, 2, 3)
                for system, value in (("epoll", 100), (AGAIN, 100), ("pollux", 90), ("mio", 10))]
        found = results.read(rows)
        self.assertEqual([row.metric.key for row in results.behind(found)], ["ns"])
        self.assertIn("system calls per message", tables.full(found, BY_NAME["channels"]).head)

    def test_noise_is_that_of_other_cases_where_direct_epoll_cannot_do_one(self):
        rows = [line(system, at, {"start_ns": value}, "timers", n=n) for at in (1, 2, 3)
                for system, n, value in (("epoll", 10, 100), (AGAIN, 10, 120), ("pollux", 10, 1), ("libev", 10, 1),
                                         ("pollux", 99, 11), ("libev", 99, 10))]
        found = results.read(rows)
        self.assertEqual(results.noise(found, TIMERS, (99,), TIMERS.metrics[0]), 1.2)
        self.assertEqual(results.behind(found), [])


class Labels(unittest.TestCase):
    def test_they_are_a_step_apart_and_stay_where_there_is_room(self):
        self.assertEqual(places.apart([10, 50, 90], 10, 0, 100), [10, 50, 90])
        moved = places.apart([50, 50.5, 51, 51.5], 10, 0, 100)
        self.assertTrue(all(after - before > 9.9 for before, after in zip(moved, moved[1:])), moved)

    def test_they_stay_between_the_ends(self):
        moved = places.apart([0, 0, 1, 99, 100], 10, 0, 100)
        self.assertTrue(all(after - before > 9.9 for before, after in zip(moved, moved[1:])), moved)
        self.assertTrue(moved[0] >= 0 and moved[-1] <= 100, moved)


class Text(unittest.TestCase):
    def test_numbers_keep_three_digits(self):
        written = [tables.number(value) for value in (0, 0.0123, 0.5, 4.821, 48.21, 482.1, 48210)]
        self.assertEqual(written, ["0", "0.012", "0.50", "4.82", "48.2", "482", "48,210"])

    def test_a_table_has_its_quartiles_and_ratios(self):
        found = churn({"epoll": [100, 100, 100], "pollux": [110, 120, 130]})
        self.assertEqual(tables.full(found, CHURN).rows,
                         [["1,000", "epoll", "100 **1.000**"],
                          ["", "pollux", "120 (115 to 125) **1.200**"]])

    def test_who_did_not_run_is_named_with_the_reason_and_the_cases(self):
        skip = {"type": "skipped", "round": 1, "workload": "timers", "system": "amy", "reason": "no descriptors",
                "case": {"n": 100000}}
        found = results.read([line("epoll", 1, {"start_ns": 1}, "timers", n=10), json.dumps(skip),
                              line("pollux", 1, {"start_ns": 1}, "timers", n=100000)])
        self.assertEqual(tables.missing(found, TIMERS), ["amy: no descriptors (N = 100,000)"])

    def test_cases_that_did_not_run_are_named_by_what_they_have_in_common(self):
        def of(kind: str, system: str, mode: str, n: int) -> str:
            record = json.loads(line(system, 1, {"cpu_ns": 1}, "ring", mode=mode, n=n, a=1))
            return json.dumps(record | {"type": kind, "reason": "cannot"})

        modes = [(mode, n) for mode in ("level", "edge", "oneshot") for n in (10, 100)]
        every = [of("result", "epoll", mode, n) for mode, n in modes]
        some = [of("skipped", "libev", mode, n) for mode, n in modes if mode != "level"]
        one = [of("skipped", "amy", "edge", 10)]
        self.assertEqual(tables.missing(results.read(every + some + one), RING),
                         ["libev: cannot (edge, oneshot)", "amy: cannot (socket, edge, N = 10, A = 1)"])

    def test_the_markdown_has_machine_noise_and_tables(self):
        text = page.as_markdown(churn({"epoll": [100, 100], AGAIN: [100, 104], "pollux": [150, 150]}))
        for part in ("virtual machine, 2 cores, a CPU, 2 GiB", "| churn | CPU | 1.020 | 1.010 to 1.030 |",
                     "| churn | N = 1,000 | CPU | epoll | 1.500 (1.500 to 1.500) | 1.030 |",
                     "| 1,000 | epoll | 100 **1.000** |"):
            self.assertIn(part, text)

    def test_html_says_what_is_text_and_what_is_bold(self):
        self.assertEqual(tables.rich("a < b **1.0**"), "a &lt; b <b>1.0</b>")


if __name__ == "__main__":
    unittest.main()
