# SPDX-License-Identifier: MIT
"""Which charts a workload has, and the figures that go into each."""
from dataclasses import dataclass

import charts
import tables
from charts import Chart, Lines
from results import Key, Results, Spread
from tables import Table
from workloads import AGAIN, DIRECT, FAMILIES, POLLUX, SYSTEMS, Metric, Workload

FAMILY = {system.name: system.family for system in SYSTEMS}


@dataclass(frozen=True)
class Group:
    """Charts that stand side by side, over the table of their figures."""
    title: str
    charts: list[Chart]
    table: Table


def axis(metric: Metric) -> str:
    return metric.axis or metric.unit or metric.title


def lines_of(results: Results, workload: Workload, metric: Metric, systems: list[str],
             points: list[tuple[float, Key]]) -> Lines:
    found: Lines = {}
    for system in systems:
        line = [(x, value) for x, key in points if (value := results.spread(workload, key, system, metric))]
        if line:
            found[system] = line
    return found


def by_family(results: Results, workload: Workload, metric: Metric, points: list[tuple[float, Key]], x: str, y: str,
              log_x: bool = True) -> list[Chart]:
    """A chart for each family, with direct epoll and Pollux in all of them: few lines in each."""
    drawn = {}
    for family in FAMILIES:
        members = [name for name in results.systems(workload) if FAMILY[name] == family]
        shown = lines_of(results, workload, metric, [DIRECT, *dict.fromkeys([POLLUX, *members])], points)
        if set(shown) - {DIRECT, POLLUX} or family == "pollux" and POLLUX in shown:
            drawn[family] = shown
    peers = [charts.bounds(shown) for family, shown in drawn.items() if family != "pollux"]
    limits = (min(low for low, _ in peers), max(high for _, high in peers)) if peers else None
    return [charts.lines(FAMILIES[family], x, y, shown, log_x=log_x, limits=None if family == "pollux" else limits)
            for family, shown in drawn.items()]


def ring(results: Results, workload: Workload) -> list[Group]:
    metric = workload.metrics[0]
    groups = []
    keys = results.keys(workload)
    for mode in dict.fromkeys(key[1] for key in keys):
        for active, title in ((1, "one byte travels"), (100, "a hundred bytes travel")):
            points = sorted((key[2], key) for key in keys if key[0] == "socket" and key[1] == mode and key[3] == active)
            if len(points) < 2:
                continue
            drawn = by_family(results, workload, metric, points, "N, socket pairs", "ns of CPU time per event")
            table = tables.beside(results, workload, metric, [(f"N = {n:,}", key) for n, key in points])
            groups.append(Group(f"{mode.capitalize()}, {title}", drawn, table))
    return groups


def timers(results: Results, workload: Workload) -> list[Group]:
    points = sorted((key[0], key) for key in results.keys(workload))
    groups = []
    for metric in results.metrics(workload):
        columns = [(f"{n:,}", key) for n, key in points]
        table = tables.beside(results, workload, metric, columns)
        systems = [name for name in results.systems(workload) if name != AGAIN]
        shown = lines_of(results, workload, metric, systems, points)
        y = f"{metric.unit} of CPU time per timer" if metric.unit == "ns" else f"{metric.unit} per timer"
        drawn = [charts.lines(metric.title.capitalize(), "timers outstanding", y, shown, log_y=True)]
        groups.append(Group("", drawn, table))
    return groups


def channels(results: Results, workload: Workload) -> list[Group]:
    points = sorted((key[0], key) for key in results.keys(workload))
    columns = [(tables.words("senders", n), key) for n, key in points]
    groups = latency(results, workload, "latency_p50_ns", "latency_p99_ns", "One way", points[0][1])
    for metric in results.metrics(workload):
        table = tables.beside(results, workload, metric, columns)
        if metric.key == "ns":
            drawn = by_family(results, workload, metric, points, "senders", "ns per message, saturated", log_x=False)
            groups.insert(0, Group("Throughput", drawn, table))
        elif metric.key == "calls":
            groups.append(Group("System calls per message, saturated", [], table))
    return groups


def latency(results: Results, workload: Workload, half: str, most: str, title: str, key: Key) -> list[Group]:
    by_key = {metric.key: metric for metric in results.metrics(workload)}
    if half not in by_key or most not in by_key:
        return []
    pair = by_key[half], by_key[most]
    shown = pairs_of(results, workload, key, pair)
    if not shown:
        return []
    drawn = charts.percentiles(f"{title}, {tables.name_of(workload, key)}", f"{pair[0].unit}, logarithmic", shown)
    return [Group("", [drawn], figures_table(results, workload, key, list(pair)))]


def pairs_of(results: Results, workload: Workload, key: Key,
             pair: tuple[Metric, Metric]) -> dict[str, tuple[Spread, Spread]]:
    found = {}
    for system in results.systems(workload):
        values = [results.spread(workload, key, system, metric) for metric in pair]
        if values[0] and values[1]:
            found[system] = (values[0], values[1])
    return found


def figures_table(results: Results, workload: Workload, key: Key, metrics: list[Metric]) -> Table:
    rows = []
    for system in results.systems(workload):
        values = [(results.spread(workload, key, system, metric), results.ratio(workload, key, system, metric))
                  for metric in metrics]
        if any(value for value, _ in values):
            rows.append([system, *(tables.cell(value, ratio) for value, ratio in values)])
    return Table(["system", *map(tables.heading, metrics)], rows)


def bars_of(results: Results, workload: Workload, key: Key, metric: Metric) -> Chart:
    shown = {system: value for system in results.systems(workload)
             if (value := results.spread(workload, key, system, metric))}
    ratios = {system: results.ratio(workload, key, system, metric) for system in shown}
    title = metric.title[0].upper() + metric.title[1:]
    return charts.bars(f"{title}, {tables.name_of(workload, key)}" if key else title, axis(metric), shown, ratios)


def costs(results: Results, workload: Workload) -> list[Group]:
    """CPU time in bars, each case a chart of its own."""
    groups = []
    for key in results.keys(workload):
        metrics = results.metrics(workload)
        groups.append(Group("", [bars_of(results, workload, key, metrics[0])],
                            figures_table(results, workload, key, metrics)))
    return groups


def echo(results: Results, workload: Workload) -> list[Group]:
    groups = []
    by_key = {metric.key: metric for metric in results.metrics(workload)}
    for key in results.keys(workload):
        drawn = [bars_of(results, workload, key, by_key["server_cpu_ns"])]
        if "p50_us" in by_key and "p99_us" in by_key:
            shown = pairs_of(results, workload, key, (by_key["p50_us"], by_key["p99_us"]))
            drawn.append(charts.percentiles(f"Latency, {tables.name_of(workload, key)}", "µs, logarithmic", shown))
        groups.append(Group(tables.name_of(workload, key), drawn,
                            figures_table(results, workload, key, results.metrics(workload))))
    return groups


def all_bars(results: Results, workload: Workload) -> list[Group]:
    """For what is no time: a chart for each figure."""
    groups = []
    for key in results.keys(workload):
        metrics = results.metrics(workload)
        groups.append(Group("", [bars_of(results, workload, key, metric) for metric in metrics],
                            figures_table(results, workload, key, metrics)))
    return groups


def wake(results: Results, workload: Workload) -> list[Group]:
    return [group for key in results.keys(workload)
            for group in latency(results, workload, "p50_ns", "p99_ns", "One wake-up", key)]


PICTURES = {"ring": ring, "churn": costs, "accept": costs, "timers": timers, "channels": channels, "wake": wake,
            "echo": echo, "memory": all_bars, "size": all_bars}


def of(results: Results, workload: Workload) -> list[Group]:
    return PICTURES[workload.name](results, workload)
