# SPDX-License-Identifier: MIT
"""Tables of the results: rows of text, and how Markdown and HTML write them."""
import html
import math
from collections.abc import Callable
from dataclasses import dataclass

from results import Behind, Key, Results, Spread
from workloads import AGAIN, Metric, Workload


@dataclass(frozen=True)
class Table:
    head: list[str]
    rows: list[list[str]]
    texts: int = 1  # so many columns at the left are text, the others are numbers


def number(value: float) -> str:
    """Three digits that count, and all of those before the point."""
    size = abs(value)
    if size == 0 or size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def ratio_text(ratio: Spread | None) -> str:
    if not ratio:
        return ""
    return f"{ratio.middle:.3f}" if ratio.middle < 10 else number(ratio.middle)


def quartiles(value: Spread) -> str:
    return f"({number(value.low)} to {number(value.high)})"


def cell(value: Spread | None, ratio: Spread | None) -> str:
    if not value:
        return "–"
    alike = number(value.low) == number(value.high)
    text = number(value.middle) if alike else f"{number(value.middle)} {quartiles(value)}"
    return f"{text} **{ratio_text(ratio)}**" if ratio else text


def heading(metric: Metric) -> str:
    return f"{metric.title}, {metric.unit}" if metric.unit else metric.title


def name_of(workload: Workload, key: Key) -> str:
    """The case in words: "level, N = 1,000, A = 100"."""
    return ", ".join(map(words, workload.parameters, key)) or "all"


def words(name: str, value: object) -> str:
    if not isinstance(value, int):
        return str(value)
    if name in ("n", "a"):
        return f"{name.upper()} = {value:,}"
    return f"{value:,} {name.removesuffix('s') if value == 1 else name}"


def parameter(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def full(results: Results, workload: Workload) -> Table:
    """A row for each case and system, a column for each figure."""
    metrics = results.metrics(workload)
    rows = []
    for key in results.keys(workload):
        case = [parameter(value) for value in key]
        for system in results.systems(workload):
            if system not in results.figures[workload.name][key]:
                continue
            rows.append(case + [system] + [
                cell(results.spread(workload, key, system, metric), results.ratio(workload, key, system, metric))
                for metric in metrics])
            case = [""] * len(key)
    return Table([*workload.parameters, "system", *map(heading, metrics)], rows, len(workload.parameters) + 1)


def beside(results: Results, workload: Workload, metric: Metric, columns: list[tuple[str, Key]]) -> Table:
    """What a chart shows: a row for each system, a column for each case, medians with ratios."""
    rows = []
    for system in results.systems(workload):
        cells = []
        for _, key in columns:
            value = results.spread(workload, key, system, metric)
            ratio = results.ratio(workload, key, system, metric)
            cells.append(f"{number(value.middle)} **{ratio_text(ratio)}**" if value and ratio
                         else number(value.middle) if value else "–")
        if set(cells) != {"–"}:
            rows.append([system, *cells])
    return Table(["system", *(title for title, _ in columns)], rows)


def noise_table(results: Results) -> Table:
    """Direct epoll, run twice: the extremes, over the cases of a workload, of medians and quartiles."""
    rows = []
    for workload in results.workloads():
        for metric in results.metrics(workload):
            ratios = [results.ratio(workload, key, AGAIN, metric) for key in results.keys(workload)]
            known = [ratio for ratio in ratios if ratio]
            if known:
                rows.append([workload.name, metric.title, extremes([ratio.middle for ratio in known]),
                             f"{min(ratio.low for ratio in known):.3f} to {max(ratio.high for ratio in known):.3f}"])
    return Table(["workload", "figure", "medians", "quartiles"], rows, 2)


def extremes(values: list[float]) -> str:
    low, high = f"{min(values):.3f}", f"{max(values):.3f}"
    return low if low == high else f"{low} to {high}"


def behind_table(found: list[Behind]) -> Table:
    rows = [[row.workload.name, name_of(row.workload, row.key), row.metric.title, row.peer,
             "the peer's is 0" if row.ratio.low == math.inf
             else f"{row.ratio.middle:.3f} ({row.ratio.low:.3f} to {row.ratio.high:.3f})", f"{row.noise:.3f}"]
            for row in found]
    return Table(["workload", "case", "figure", "peer", "times the peer", "noise"], rows, 4)


def missing(results: Results, workload: Workload) -> list[str]:
    """Who did not run, with the reason and the cases if not all of them."""
    return [f"{system}: {reason}{cases_in_words(results, workload, keys)}"
            for system, reasons in results.missing.get(workload.name, {}).items()
            for reason, keys in reasons.items()]


def cases_in_words(results: Results, workload: Workload, keys: list[Key]) -> str:
    """By the values of one parameter, if they say it all: " (level, oneshot)"."""
    every = set(results.keys(workload)) | {key for reasons in results.missing[workload.name].values()
                                           for found in reasons.values() for key in found}
    if set(keys) == every:
        return ""
    for at, name in enumerate(workload.parameters):
        values = dict.fromkeys(key[at] for key in keys)
        if set(keys) == {key for key in every if key[at] in values}:
            return f" ({', '.join(words(name, value) for value in values)})"
    return f" ({'; '.join(name_of(workload, key) for key in keys)})"


def markdown(table: Table) -> str:
    align = ["---"] * table.texts + ["---:"] * (len(table.head) - table.texts)
    lines = [table.head, align, *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def html_table(table: Table) -> str:
    def line(cells: list[str], tag: Callable[[int], str]) -> str:
        return "<tr>" + "".join(one(text, tag(at), at) for at, text in enumerate(cells)) + "</tr>"

    def one(text: str, tag: str, at: int) -> str:
        kind = "" if at < table.texts else ' class="number"'
        return f"<{tag}{kind}>{rich(text)}</{tag}>"

    body = "\n".join(line(row, lambda at: "th" if at < table.texts else "td") for row in table.rows)
    named = ' class="named"' if table.texts == 1 else ""
    return (f'<div class="wide" tabindex="0"><table{named}>\n<thead>{line(table.head, lambda at: "th")}</thead>\n'
            f"<tbody>{body}</tbody></table></div>")


def rich(text: str) -> str:
    """Markdown's ** as HTML."""
    parts = html.escape(text, quote=False).split("**")
    return "".join(f"<b>{part}</b>" if at % 2 else part for at, part in enumerate(parts))
