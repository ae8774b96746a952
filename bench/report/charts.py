# SPDX-License-Identifier: MIT
"""The pictures, drawn by matplotlib: each as one light and one dark SVG, whose text stays text.

All are small and of one size, so that they can stand beside each other on a wide page and one
below the other on a narrow one, where their text is still to be read. Colours are told apart by
colour-blind readers within a chart, and each system has a marker of its own besides.
"""
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from places import apart
from results import Spread
from tables import number, ratio_text

matplotlib.use("svg")

WIDTH, HEIGHT = 4.3, 2.9  # inches
SIZE = 8.5  # points
FONTS = "'DejaVu Sans', Verdana, sans-serif"
LABEL_STEP = 11.5  # points between the middles of two labels


@dataclass(frozen=True)
class Theme:
    name: str
    paper: str
    ink: str
    faint: str
    direct: str  # bars of direct epoll, and of peers
    peer: str
    colours: dict[str, str]


@dataclass(frozen=True)
class Chart:
    title: str
    light: str
    dark: str


POLLUX_LIGHT, POLLUX_DARK = "#0067b3", "#5cb8f5"
LIGHT = Theme("light", "#ffffff", "#24292f", "#d4d9df", "#6e7781", "#b9c1ca", {
    "epoll": "#24292f", "pollux": POLLUX_LIGHT, "pollux io_uring": "#c75000", "pollux poll": "#008a66",
    "libev": "#c75000", "libevent": "#008a66", "libuv": "#b0589a",
    "mio": "#c75000", "polling": "#008a66", "amy": "#870ff0", "vmm": "#b0589a"})
DARK = Theme("dark", "#14181d", "#dfe4ea", "#3a424c", "#9aa4af", "#56606b", {
    "epoll": "#dfe4ea", "pollux": POLLUX_DARK, "pollux io_uring": "#f08a3c", "pollux poll": "#2fc498",
    "libev": "#f08a3c", "libevent": "#2fc498", "libuv": "#e39acd",
    "mio": "#f08a3c", "polling": "#2fc498", "amy": "#9a63ff", "vmm": "#e39acd"})
MARKERS = {"epoll": "o", "pollux": "D", "pollux io_uring": "s", "pollux poll": "^", "libev": "s", "libevent": "^",
           "libuv": "v", "mio": "s", "polling": "^", "amy": "P", "vmm": "v"}

Lines = dict[str, list[tuple[float, Spread]]]  # for each system the points of its line


@contextmanager
def figure(theme: Theme, height: float = HEIGHT) -> Iterator[tuple[Figure, Axes]]:
    settings: Any = {
        "svg.fonttype": "none", "svg.hashsalt": theme.name, "font.size": SIZE, "text.color": theme.ink,
        "axes.edgecolor": theme.faint, "axes.labelcolor": theme.ink, "xtick.color": theme.ink,
        "ytick.color": theme.ink, "axes.spines.top": False, "axes.spines.right": False,
        "axes.titlelocation": "left", "axes.titlesize": SIZE + 0.5, "axes.titleweight": "bold",
        "figure.facecolor": theme.paper, "axes.facecolor": theme.paper}
    with plt.rc_context(settings):
        drawn, axes = plt.subplots(figsize=(WIDTH, height))
        try:
            yield drawn, axes
        finally:
            plt.close(drawn)


def svg(drawn: Figure) -> str:
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"(font(?:-family)?: (?:[^;\"]*? )?)'DejaVu Sans'[^;\"]*", rf"\1{FONTS}", text)
    return re.sub(r"\n\s*", "\n", text).strip()


def both(title: str, draw: Callable[[Theme], str]) -> Chart:
    return Chart(title, draw(LIGHT), draw(DARK))


def plain(value: float, _: object = None) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def short(value: float, _: object = None) -> str:
    return f"{plain(value / 1e6)} M" if value >= 1e6 else plain(value)


# ---- Lines ----

def lines(title: str, x: str, y: str, data: Lines, *, log_x: bool = True, log_y: bool = False,
          limits: tuple[float, float] | None = None) -> Chart:
    """A line for each system, named where it ends, its quartiles as a band. The axis of y begins below
    the lowest line, not at 0."""
    def draw(theme: Theme) -> str:
        with figure(theme) as (drawn, axes):
            drawn.subplots_adjust(left=0.135, right=0.735, top=0.83, bottom=0.155)
            for system, points in data.items():
                draw_line(axes, theme, system, points)
            scale_x(axes, sorted({at for points in data.values() for at, _ in points}), log_x)
            scale_y(axes, data, log_y, limits)
            axes.set_title(title, x=-0.2, pad=22)
            axes.text(-0.2, 1.05, y, transform=axes.transAxes)
            axes.set_xlabel(x)
            axes.grid(axis="y", color=theme.faint, linewidth=0.6)
            axes.set_axisbelow(True)
            label_ends(drawn, axes, theme, data)
            return svg(drawn)
    return both(title, draw)


def draw_line(axes: Axes, theme: Theme, system: str, points: list[tuple[float, Spread]]) -> None:
    at = [x for x, _ in points]
    colour = theme.colours[system]
    width = 2.4 if system == "pollux" else 1.4
    axes.fill_between(at, [value.low for _, value in points], [value.high for _, value in points], color=colour,
                      alpha=0.15, linewidth=0)
    axes.plot(at, [value.middle for _, value in points], color=colour, linewidth=width, marker=MARKERS[system],
              markersize=4.5, linestyle="--" if system == "epoll" else "-", zorder=3 if system == "pollux" else 2)


def scale_x(axes: Axes, values: list[float], log: bool) -> None:
    if log:
        axes.set_xscale("log")
    axes.set_xticks(values, [plain(value) for value in values])
    axes.xaxis.set_minor_locator(NullLocator())


def scale_y(axes: Axes, data: Lines, log: bool, limits: tuple[float, float] | None) -> None:
    low, high = limits or bounds(data)
    if log or high > 8 * low > 0:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.25, high * 1.6)
        steps = (1,) if high > 1000 * low else (1, 3) if high > 30 * low else (1, 2, 5)
        axes.yaxis.set_major_locator(LogLocator(subs=steps))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(max(0, low - 0.25 * (high - low)), high + 0.1 * (high - low))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(short))


def bounds(data: Lines) -> tuple[float, float]:
    values = [value for points in data.values() for _, value in points]
    return min(value.low for value in values), max(value.high for value in values)


def label_ends(drawn: Figure, axes: Axes, theme: Theme, data: Lines) -> None:
    """The names at the ends of the lines: those that end at the same place are moved apart."""
    drawn.canvas.draw()
    ends: dict[float, list[tuple[float, str]]] = {}
    for system, points in data.items():
        x, value = points[-1]
        ends.setdefault(x, []).append((axes.transData.transform((x, value.middle))[1], system))
    step = LABEL_STEP * drawn.dpi / 72
    for x, names in ends.items():
        names.sort()
        places = apart([y for y, _ in names], step, axes.bbox.y0, axes.bbox.y1 - step / 2)
        for (y, system), place in zip(names, places, strict=True):
            label_end(drawn, axes, theme, x, y, place, system)


def label_end(drawn: Figure, axes: Axes, theme: Theme, x: float, y: float, place: float, system: str) -> None:
    pixel = 72 / drawn.dpi
    at = axes.transData.inverted().transform((0, y))[1]
    axes.annotate(system, (x, at), xytext=(14, (place - y) * pixel), textcoords="offset points", va="center",
                  color=theme.colours[system], fontweight="bold" if system == "pollux" else "normal",
                  arrowprops={"arrowstyle": "-", "color": theme.colours[system], "linewidth": 0.6, "shrinkA": 0,
                              "shrinkB": 4, "relpos": (0, 0.5)}, annotation_clip=False, zorder=5,
                  bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 0.6})


# ---- A row for each system ----

def row_height(rows: int) -> float:
    return 0.85 + 0.205 * rows


def bars(title: str, x: str, data: dict[str, Spread], ratios: dict[str, Spread | None]) -> Chart:
    """A bar for each system with its quartiles; behind it the figure and its ratio to direct epoll."""
    def draw(theme: Theme) -> str:
        with figure(theme, row_height(len(data))) as (drawn, axes):
            place_rows(drawn, axes, theme, list(data), title, x)
            end = max(value.high for value in data.values())
            for row, (system, value) in enumerate(data.items()):
                draw_bar(axes, theme, row, system, value)
                text = number(value.middle) + (f" · {ratio_text(ratios[system])} ×" if ratios.get(system) else "")
                axes.annotate(text, (value.high, row), xytext=(5, 0), textcoords="offset points", va="center")
            axes.set_xlim(0, end * 1.42)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter(FuncFormatter(plain))
            return svg(drawn)
    return both(title, draw)


def draw_bar(axes: Axes, theme: Theme, row: int, system: str, value: Spread) -> None:
    axes.barh(row, value.middle, height=0.62, color=row_colour(theme, system))
    axes.plot([value.low, value.high], [row, row], color=theme.ink, linewidth=1.1)


def row_colour(theme: Theme, system: str) -> str:
    if system.startswith("pollux"):
        return theme.colours["pollux"]
    return theme.direct if system.startswith("epoll") else theme.peer


def place_rows(drawn: Figure, axes: Axes, theme: Theme, names: list[str], title: str, x: str) -> None:
    height = drawn.get_figheight()
    drawn.subplots_adjust(left=0.27, right=0.97, top=1 - 0.33 / height, bottom=0.45 / height)
    axes.set_yticks(range(len(names)), names)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if name == "pollux" else "normal")
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, x=-0.37, pad=9)
    axes.set_xlabel(x)
    axes.grid(axis="x", color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)


def percentiles(title: str, x: str, data: dict[str, tuple[Spread, Spread]]) -> Chart:
    """From the median of the latency to what 99 of 100 stay within, on a logarithmic axis."""
    def draw(theme: Theme) -> str:
        with figure(theme, row_height(len(data) + 1)) as (drawn, axes):
            place_rows(drawn, axes, theme, list(data), title, x)
            axes.set_xscale("log")
            for row, (system, values) in enumerate(data.items()):
                draw_percentiles(axes, theme, row, system, values)
            name_percentiles(axes, theme, next(iter(data.values())))
            scale_percentiles(axes, [value.middle for values in data.values() for value in values])
            axes.set_ylim(len(data) - 0.4, -1.2)
            return svg(drawn)
    return both(title, draw)


def draw_percentiles(axes: Axes, theme: Theme, row: int, system: str, values: tuple[Spread, Spread]) -> None:
    colour = theme.colours["pollux"] if system.startswith("pollux") else theme.ink
    half, most = (value.middle for value in values)
    axes.plot([half, most], [row, row], color=colour, linewidth=1.6)
    axes.plot(half, row, "o", color=colour, markersize=5.5)
    axes.plot(most, row, "o", color=colour, markersize=5.5, markerfacecolor=theme.paper)


def name_percentiles(axes: Axes, theme: Theme, first: tuple[Spread, Spread]) -> None:
    for value, name, side in zip(first, ("p50", "p99"), ("right", "left"), strict=True):
        axes.annotate(name, (value.middle, -0.75), va="center", ha=side, color=theme.ink)


def scale_percentiles(axes: Axes, values: list[float]) -> None:
    low, high = min(values), max(values)
    axes.set_xlim(low / 1.45, high * 1.45)
    steps = (1, 3) if high > 15 * low else (1, 2, 5) if high > 4 * low else (1, 1.5, 2, 3, 4, 5, 6, 8)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.xaxis.set_minor_locator(NullLocator())
