# SPDX-License-Identifier: MIT
"""Opens plx-top as a visitor would: open_top.py HTTP_SERVER PICTURES

Under a small load the figures are what was asked of the server, and move; they can be paused and
read with the mouse and the keys; a server that ends and begins again leaves a gap. A day of figures
stays within bounds. On a telephone and on a desk, light and dark, with the longest figures there
are, nothing lies on anything else and nothing is wider than the screen. Pictures are left in PICTURES.
"""
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from open_pages import FITS, SCHEMES, WIDTHS, Reader
from playwright.sync_api import sync_playwright

IS = "state => document.getElementById('state').textContent == state"
VALUES = "() => charts.map(chart => chart.number.textContent)"
LINE = "() => charts[0].lines[0].line.getAttribute('d')"
SIZES = "() => [...LEVELS.flatMap(({samples, bucket}) => [samples.length, bucket.length]), document.querySelectorAll('*').length]"
LIMITS = "() => LEVELS.flatMap(({step, limit}) => [limit, step])"

# Rectangles of what is written, a card or a part of the head at a time, that are not apart.
OVERLAPS = """() => {
    const wrong = [];
    const box = node => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return range.getBoundingClientRect();
    };
    const groups = [...document.querySelectorAll('.card')].map(card => [card, [...card.querySelectorAll('h2, .note, .value span, .value small, text')]]);
    groups.push([document.querySelector('header'), [...document.querySelectorAll('h1, .brand p, dt, dd, fieldset span, button')]]);
    for (const [group, nodes] of groups) {
        const around = group.getBoundingClientRect();
        const seen = nodes.map(node => [node.textContent, box(node)]).filter(([, {width}]) => width);
        seen.forEach(([text, a], i) => {
            if (a.left < around.left || a.right > around.right || a.top < around.top || a.bottom > around.bottom)
                wrong.push(`"${text}" is outside of "${seen[0][0]}"`);
            for (const [other, b] of seen.slice(i + 1))
                if (a.left < b.right && b.left < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom)
                    wrong.push(`"${text}" lies on "${other}" in "${seen[0][0]}"`);
        });
    }
    return wrong;
}"""

# What is hard to see on its card, by the contrast that WCAG asks of text (4.5) and of graphics (3).
FAINT = """scheme => {
    const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const back = light(getComputedStyle(document.querySelector('.card')).backgroundColor);
    const wrong = (scheme == 'dark') == (back < 0.1) ? [] : [`is not ${scheme}`];
    const look = (nodes, property, least) => document.querySelectorAll(nodes).forEach(node => {
        const ink = light(getComputedStyle(node)[property]);
        if ((Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05) < least)
            wrong.push(`${scheme}: ${node.getAttribute('class') || node.textContent} is faint`);
    });
    look('h2, .note, .value, small', 'color', 4.5);
    look('.card text, .card tspan', 'fill', 4.5);
    look('.card .line', 'stroke', 3);
    return wrong;
}"""

# The page on its own: what it is given from here on is all that it has.
ALONE = """() => {
    source.close();
    connect = () => {};
    heard = Infinity;
    before = null;
    window.sample = (total, rest) => ({timers: 9, open: 7, version: '10.20.30', backend: 'event_ports', threads: 64,
        pollers: 64, ...total, kinds: Object.fromEntries(KINDS.map(kind => [kind, total[kind]])), ...rest});
}"""

# Two samples, two seconds apart.
TWO = """() => {
    const total = {waits: 20, events: 60, calls: 30, sent: 2, elided: 4, accepted: 8, requests: 1000, readable: 50, writable: 10};
    const nothing = Object.fromEntries(Object.keys(total).map(name => [name, 0]));
    for (const kind of KINDS) total[kind] ??= 0, nothing[kind] ??= 0;
    receive(sample(nothing, {up: 10}), Date.now() - 2000);
    receive(sample(total, {up: 12, latency: [1234, 45678, 6789012, 98765432]}), Date.now());
    draw();
}"""
READ = ["30", "6.8\u202fms", "500", "10", "0.5", "3", "7", "9"]

# A day and two hours that end now. The figures are long ones, of every kind.
A_DAY = """() => {
    const now = Date.now(), seconds = 26 * 3600;
    const total = {}, add = (name, more) => total[name] = (total[name] || 0) + Math.round(more);
    before = null;
    for (let i = 0, step; i <= seconds; i += step = i < 23 * 3600 ? 10 : 1) {
        const wave = 2 + Math.sin(i / 9000);
        KINDS.forEach((kind, n) => add(kind, 234567 * step * wave / (n + 1)));
        for (const name of ['waits', 'calls', 'sent', 'elided', 'accepted', 'requests']) add(name, 345678 * step * wave);
        add('events', 432198 * step * wave);
        const latency = [12345, 456789, 6789012, 98765432].map(nanos => nanos * wave);
        receive(sample(total, {up: 1 + i, timers: 1234567 + i, open: 54321 + i % 7, latency}), now - (seconds - i) * 1000);
    }
    heard = Infinity;
    document.getElementById('pause').click();
    pausedAt = now;
}"""


class Server:
    def __init__(self, executable: str, folder: str, port: int = 0):
        self.process = subprocess.Popen([executable, "--port", str(port), "--threads", "2", "--quiet", folder],
                                        stdout=subprocess.PIPE, text=True)
        self.address = re.search(r"http\S+", self.process.stdout.readline())[0]
        self.port = int(self.address.split(":")[2].strip("/"))

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate()


class Load:
    """Some hundred requests a second, and how many there were."""

    def __init__(self, port: int):
        self.requests = 0
        self.going = True
        self.thread = threading.Thread(target=self.run, args=(port,), daemon=True)
        self.thread.start()

    def run(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while self.going:
            connection.request("GET", "/a.txt")
            connection.getresponse().read()
            self.requests += 1
            if self.requests % 100 == 0:
                connection.close()
            time.sleep(0.002)
        connection.close()

    def stop(self) -> None:
        self.going = False
        self.thread.join()


def moves(reader: Reader) -> None:
    page = reader.page
    reader.expect(IS, "Live", "is not live")
    for chart in range(8):
        reader.expect("chart => charts[chart].number.textContent != '–'", chart, f"shows no value in chart {chart}")
    for chart, title in enumerate(("Events", "Latency", "Requests", "Waits")):
        page.evaluate("window.seen = new Set()")
        reader.expect("chart => seen.add(charts[chart].number.textContent).size > 2", chart, f"{title} do not move")


def is_true(reader: Reader, load: Load) -> None:
    """What was asked for, and the page and its figures."""
    load.stop()
    reader.expect("count => before.requests == count", load.requests + 2, f"has not counted {load.requests} requests")


def pause(reader: Reader) -> None:
    page = reader.page
    page.get_by_role("button", name="Pause").click()
    reader.expect(IS, "Paused", "does not pause")
    page.wait_for_timeout(200)
    line, samples = page.evaluate(LINE), page.evaluate("LEVELS[0].samples.length")
    reader.expect("samples => LEVELS[0].samples.length > samples + 1", samples, "keeps nothing while it is paused")
    if page.evaluate(LINE) != line:
        reader.complain("moves while it is paused")
    page.get_by_role("button", name="Resume").click()
    reader.expect(IS, "Live", "does not go on")
    reader.expect(f"line => ({LINE})() != line", line, "stands still after a pause")


def read_out(reader: Reader, pictures: Path) -> None:
    page = reader.page
    box = page.locator(".card svg").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 130, box["y"] + 50)
    reader.expect("() => charts.every(chart => /^\\d\\d:\\d\\d:\\d\\d$/.test(chart.below.textContent))", None,
                  "says no time where the mouse is")
    page.screenshot(path=pictures / "top-mouse.png", full_page=True)
    page.mouse.move(1, 1)
    reader.expect("() => charts[0].below.textContent == charts[0].note", None, "keeps the time of the mouse")
    page.locator(".card svg").nth(1).focus()
    page.keyboard.press("ArrowLeft")
    reader.expect("() => spoken.textContent.startsWith('Latency')", None, "cannot be read with the keys")
    page.keyboard.press("Escape")
    reader.expect("() => charts[0].below.textContent == charts[0].note", None, "keeps the time of the keys")
    labels = page.evaluate("() => charts.map(chart => chart.svg.getAttribute('aria-label'))")
    for label, value in zip(labels, page.evaluate(VALUES)):
        if value not in label:
            reader.complain(f"says {label} for {value}")


def begin_again(reader: Reader, server: Server, executable: str, folder: str) -> Server:
    server.stop()
    reader.expect(IS, "No answer", "does not notice that the server is gone")
    server = Server(executable, folder, server.port)
    reader.expect(IS, "Live", "does not find the server again")
    reader.expect(f"() => ({LINE})().split('M').length > 2", None, "has no gap where the server was gone")
    reader.wrong = [each for each in reader.wrong if "ERR_CONNECTION_REFUSED" not in each]
    return server


def look(reader: Reader, pictures: Path) -> None:
    page = reader.page
    before = page.evaluate(SIZES)
    page.evaluate(ALONE)
    page.evaluate(TWO)
    if (read := page.evaluate(VALUES)) != READ:
        reader.complain(f"reads {read}, not {READ}")
    page.evaluate(A_DAY)
    for device, width in {"small telephone": 360, **WIDTHS, "tablet": 820}.items():
        page.set_viewport_size({"width": width, "height": 900})
        for seconds, name in ((60, "1 min"), (600, "10 min"), (7200, "2 h"), (86400, "24 h")):
            page.locator(f"input[value='{seconds}']").check()
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(60)
                if not page.evaluate(FITS):
                    reader.complain(f"is too wide for a {device}")
                for wrong in page.evaluate(OVERLAPS) + page.evaluate(FAINT, scheme):
                    reader.complain(f"{device}, {name}: {wrong}")
                if seconds in (60, 86400) and device in WIDTHS:
                    page.screenshot(path=pictures / f"top-{device}-{name.replace(' ', '')}-{scheme}.png", full_page=True)
            points = page.evaluate("() => charts[0].lines[0].line.getAttribute('d').split(/[ML]/).length")
            if not 55 < points < 2100:
                reader.complain(f"draws {points} points for {name}")
    after, limits = page.evaluate(SIZES), page.evaluate(LIMITS)
    if any(have > limit for have, limit in zip(after, limits)):
        reader.complain(f"keeps {after[:-1]}, where {limits} are the limits")
    if after[-1] > before[-1] + 300:
        reader.complain(f"has {after[-1]} elements after a day, {before[-1]} before")


def main() -> int:
    executable, pictures = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        Path(folder, "a.txt").write_text("a small file\n")
        server = Server(executable, folder)
        load = Load(server.port)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            reader = Reader(browser, server.address)
            reader.page.goto(server.address)
            moves(reader)
            pause(reader)
            read_out(reader, pictures)
            is_true(reader, load)
            server = begin_again(reader, server, executable, folder)
            look(reader, pictures)
        finally:
            browser.close()
            server.stop()
    print(*reader.wrong[:30], sep="\n", end="\n" if reader.wrong else "")
    print(f"plx-top, {len(reader.wrong)} complaints")
    return 1 if reader.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
