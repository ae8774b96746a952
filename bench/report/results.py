# SPDX-License-Identifier: MIT
"""Reads what the rounds wrote, and computes medians, quartiles and ratios of it."""
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from workloads import AGAIN, BY_NAME, DIRECT, ORDER, POLLUX, Metric, Workload

Key = tuple[Any, ...]  # the values of a workload's parameters
ByRound = dict[int, float]


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles."""
    middle: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread | None:
    known = list(values)
    if not known:
        return None
    if len(known) == 1:
        return Spread(known[0], known[0], known[0])
    low, middle, high = statistics.quantiles(known, n=4, method="inclusive")
    return Spread(middle, low, high)


def paired(values: ByRound, base: ByRound) -> Spread | None:
    """The ratios within each round: both sides of one met the same weather."""
    return spread(values[at] / base[at] for at in values if base.get(at))


@dataclass
class Results:
    run: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, dict[Key, dict[str, dict[str, ByRound]]]] = field(default_factory=dict)
    measured: set[int] = field(default_factory=set)  # rounds of which there is anything
    missing: dict[str, dict[str, dict[str, list[Key]]]] = field(default_factory=dict)  # workload, system, reason

    def workloads(self) -> list[Workload]:
        return [workload for workload in BY_NAME.values() if workload.name in self.figures]

    def keys(self, workload: Workload) -> list[Key]:
        return list(self.figures[workload.name])

    def systems(self, workload: Workload) -> list[str]:
        """Those with a figure, in the order of the list."""
        found = {name for systems in self.figures[workload.name].values() for name in systems}
        return sorted(found, key=ORDER.__getitem__)

    def metrics(self, workload: Workload) -> list[Metric]:
        """Those that are described and were measured, then those that a program has beyond them."""
        found = {key: None for systems in self.figures[workload.name].values()
                 for metrics in systems.values() for key in metrics}
        described = [metric for metric in workload.metrics if metric.key in found]
        known = {metric.key for metric in workload.metrics}
        return described + [undescribed(key) for key in found if key not in known]

    def rounds(self, workload: Workload, key: Key, system: str, metric: Metric) -> ByRound:
        values = self.figures[workload.name].get(key, {}).get(system, {}).get(metric.key, {})
        return {at: value / metric.per for at, value in values.items()}

    def spread(self, workload: Workload, key: Key, system: str, metric: Metric) -> Spread | None:
        return spread(self.rounds(workload, key, system, metric).values())

    def ratio(self, workload: Workload, key: Key, system: str, metric: Metric, base: str = DIRECT) -> Spread | None:
        return paired(self.rounds(workload, key, system, metric), self.rounds(workload, key, base, metric))


UNITS = {"ns": "ns", "us": "µs", "bytes": "bytes", "text": "bytes"}


def undescribed(key: str) -> Metric:
    words = key.split("_")
    unit = next((UNITS[word] for word in words if word in UNITS), "")
    return Metric(key, key.replace("_", " "), unit)


def key_of(workload: Workload, case: dict[str, Any], result: dict[str, Any]) -> Key:
    """What was asked for comes before what the program says that it did."""
    kind = "eventfd" if case.get("eventfd") else "socket"
    said = {"kind": kind} | result | case
    return tuple(said.get(name) for name in workload.parameters)


def is_figure(workload: Workload, name: str, value: Any) -> bool:
    said = {"workload", "system", "mode", "n", "a", "kind", "events", "eventfd", "senders", "connections", "seconds",
            "backend", "smoke", "cores", *workload.parameters, *workload.fixed}
    return name not in said and isinstance(value, (int, float)) and not isinstance(value, bool)


def records(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Without a last line that the end of a killed run cut short."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            if line.endswith("\n"):
                raise


def read(lines: Iterable[str]) -> Results:
    results = Results()
    figures: Any = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(dict))))
    for record in records(lines):
        if record["type"] == "run":
            results.run = record
            continue
        workload = BY_NAME[record["workload"]]
        key = key_of(workload, record["case"], record.get("result", {}))
        results.measured.add(workload.round_of(record["round"], results.run.get("quick", False)))
        if record["type"] == "result":
            for name, value in record["result"].items():
                if is_figure(workload, name, value):
                    figures[workload.name][key][record["system"]][name][record["round"]] = value
        elif record["system"] != AGAIN:
            reasons = results.missing.setdefault(workload.name, {}).setdefault(record["system"], {})
            keys = reasons.setdefault(record["reason"], [])
            if key not in keys:
                keys.append(key)
    results.figures = figures
    return results


@dataclass(frozen=True)
class Behind:
    """A figure in which a peer is better than Pollux by more than the noise."""
    workload: Workload
    key: Key
    metric: Metric
    peer: str
    ratio: Spread  # Pollux to the peer; the peer to Pollux where more is better
    noise: float


def noise(results: Results, workload: Workload, key: Key, metric: Metric) -> float:
    """How far direct epoll is from itself, by the quartile that is farther: 1.00 is not at all. Where
    it cannot do the case, the worst of the others must serve."""
    here = noise_in(results, workload, key, metric)
    others = (noise_in(results, workload, other, metric) for other in results.keys(workload))
    return here or max((other for other in others if other), default=1.0)


def noise_in(results: Results, workload: Workload, key: Key, metric: Metric) -> float | None:
    itself = results.ratio(workload, key, AGAIN, metric)
    return max(itself.high, 1 / itself.low) if itself and itself.low > 0 else None


def behind(results: Results) -> list[Behind]:
    found = []
    for workload in results.workloads():
        for key in results.keys(workload):
            for metric in filter(lambda metric: metric.compared, results.metrics(workload)):
                limit = noise(results, workload, key, metric)
                for peer in results.systems(workload):
                    row = ratio_behind(results, workload, key, metric, peer)
                    if row and row.low > 1 and row.middle > limit:
                        found.append(Behind(workload, key, metric, peer, row, limit))
    return found


def ratio_behind(results: Results, workload: Workload, key: Key, metric: Metric, peer: str) -> Spread | None:
    if peer.startswith(POLLUX) or peer == AGAIN:
        return None
    own, other = (results.spread(workload, key, name, metric) for name in (POLLUX, peer))
    if own and other and other.middle == 0 < own.middle and not metric.more:
        return Spread(math.inf, math.inf, math.inf)
    if metric.more:
        return results.ratio(workload, key, peer, metric, POLLUX)
    return results.ratio(workload, key, POLLUX, metric, peer)
