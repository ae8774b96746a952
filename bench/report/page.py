# SPDX-License-Identifier: MIT
"""The report as one HTML file, with everything in it, and as Markdown."""
import base64
import html
from pathlib import Path
from string import Template

import tables
from results import Results, behind
from tables import html_table, markdown
from workloads import Workload

READING = ("Medians over the rounds, quartiles in brackets. In bold the ratio to direct epoll: the median of the "
           "ratios within the rounds, below 1 is less than direct epoll takes (requests per second: above 1 is "
           "better). Direct epoll runs twice in each round; the ratio of “epoll again” is the noise, and a "
           "difference within it means nothing.")
DRAWN = "Where lines are drawn on a linear axis, it begins below the lowest of them, not at 0."
BEHIND = ("Rows in which a peer, or direct epoll, is better than Pollux on epoll: the lower quartile of the paired "
          "ratio is above 1, and its median is farther from 1 than direct epoll is from itself in the same row. "
          "System calls per message are in the tables alone: when saturated, the scheduler decides how often the "
          "receiver sleeps.")


def facts(results: Results) -> list[tuple[str, str]]:
    run = results.run
    machine = run["machine"]
    kind = "virtual machine" if machine["virtual"] else "machine"
    memory = f", {machine['memory_mib'] / 1024:.0f} GiB" if machine["memory_mib"] else ""
    there, planned = len(results.measured), run["rounds"]
    rounds = f"{there}" if there >= planned else f"{there} of {planned}, then it was cut short"
    return [
        ("date", run["date"]),
        ("machine", f"{kind}, {machine['cores']} cores, {machine['cpu']}{memory}"),
        ("kernel", run["kernel"]),
        ("rounds", f"{rounds}{', quick' if run['quick'] else ''}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())),
    ]


# ---- Markdown ----

def as_markdown(results: Results) -> str:
    parts = ["# Pollux, side by side\n"]
    parts.append("".join(f"- {name}: {value}\n" for name, value in facts(results)))
    parts.append(READING + "\n")
    parts.append("## Noise\n\n" + markdown(tables.noise_table(results)))
    found = behind(results)
    parts.append(f"## Where Pollux is behind\n\n{BEHIND}\n\n"
                 + (markdown(tables.behind_table(found)) if found else "None.\n"))
    for workload in results.workloads():
        parts.append(f"## {workload.title}\n\n{workload.question}\n\n{markdown(tables.full(results, workload))}")
        parts.append("".join(f"- {line}\n" for line in tables.missing(results, workload)))
    return "\n".join(part for part in parts if part)


# ---- HTML ----

def as_html(results: Results, groups: dict[str, list]) -> str:
    """With the groups of charts of each workload, by its name."""
    body = [head(results), *(section(results, workload, groups[workload.name]) for workload in results.workloads())]
    template = Template(Path(__file__).with_name("page.html").read_text())
    return template.substitute(body="\n".join(body))


def head(results: Results) -> str:
    links = "\n".join(f'<a href="#{workload.name}">{workload.name}</a>' for workload in results.workloads())
    about = "".join(f"<li>{name}: {html.escape(value)}</li>" for name, value in facts(results))
    found = behind(results)
    rows = html_table(tables.behind_table(found)) if found else "<p>None.</p>"
    return (f"<h1>Pollux, side by side</h1>\n<ul class=\"soft\">{about}</ul>\n<nav>{links}</nav>\n"
            f"<p>{READING} {DRAWN}</p>\n"
            f"<h2>Where Pollux is behind</h2>\n<p>{BEHIND}</p>\n{folded(found, rows)}\n"
            f"<h2>Noise</h2>\n<p>Direct epoll against itself, over the cases of each workload.</p>\n"
            f"{html_table(tables.noise_table(results))}")


def folded(found: list, rows: str) -> str:
    if len(found) < 12:
        return rows
    return f"<details><summary>{len(found)} rows</summary>{rows}</details>"


def section(results: Results, workload: Workload, groups: list) -> str:
    parts = [f'<h2 id="{workload.name}">{workload.title}</h2>', f"<p>{html.escape(workload.question)}</p>"]
    parts.append('<div class="groups">')
    for group in groups:
        drawn = "\n".join(picture(chart.title, chart.light, chart.dark) for chart in group.charts)
        title = f"<h3>{html.escape(group.title)}</h3>\n" if group.title else ""
        kind = "group" if len(group.charts) < 2 else "group row"
        shown = f'<div class="charts">{drawn}</div>\n' if drawn else ""
        parts.append(f'<div class="{kind}">{title}{shown}{html_table(group.table)}</div>')
    parts.append("</div>")
    lacking = "".join(f"<li>{html.escape(line)}</li>" for line in tables.missing(results, workload))
    if lacking:
        parts.append(f'<p class="soft">Not measured:</p><ul class="soft">{lacking}</ul>')
    parts.append(f"<details><summary>All figures, with quartiles</summary>"
                 f"{html_table(tables.full(results, workload))}</details>")
    return "\n".join(parts)


def picture(title: str, light: str, dark: str) -> str:
    return (f'<picture><source media="(prefers-color-scheme: dark)" srcset="{data(dark)}">'
            f'<img src="{data(light)}" alt="Chart: {html.escape(title)}; its figures are in the table below.">'
            "</picture>")


def data(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
