# SPDX-License-Identifier: MIT
"""Opens the pages of the site as a reader would: open_pages.py SITE PICTURES

On a telephone and on a desk, light and dark: nothing is wider than the screen, nothing is fetched
from elsewhere, the console is silent, no link within the site leads nowhere, pictures are there.
The search finds a function. Pictures of some pages are left in PICTURES.
"""
import functools
import http.server
import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import TimeoutError, sync_playwright

PATIENCE = 120_000  # milliseconds until something that must happen has not
WIDTHS = {"telephone": 390, "desk": 1280}
SCHEMES = ("light", "dark")
SHOWN = ("index", "guide/modes", "guide/threads", "reference/registry", "performance", "pitfalls", "moving")
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
MAY_SEARCH = "() => document.querySelector('.md-search-result__meta').innerText.startsWith('Type')"
FOUND = "words => document.querySelectorAll('.md-search-result__item a')[1]?.href.endsWith('#' + words)"
IS_IN = "scheme => document.body.dataset.mdColorScheme == (scheme == 'dark' ? 'slate' : 'default')"
BROKEN = "[...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder: Path) -> str:
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


class Reader:
    """A browser, and what it had to complain of."""

    def __init__(self, browser, site: str):
        self.site = site
        self.wrong: list[str] = []
        self.page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.complain(said.text))
        self.page.on("pageerror", lambda error: self.complain(str(error)))
        self.page.on("request", lambda request: request.url.startswith(site) or self.complain(f"fetches {request.url}"))
        self.page.on("response", lambda answer: answer.status < 400 or self.complain(f"{answer.status} {answer.url}"))

    def complain(self, what: str) -> None:
        self.wrong.append(f"{self.page.url.removeprefix(self.site)}: {what}")

    def expect(self, condition: str, argument: str | None, otherwise: str) -> None:
        try:
            self.page.wait_for_function(condition, arg=argument, polling=50)
        except TimeoutError:
            self.complain(otherwise)

    def look(self, name: str, pictures: Path) -> None:
        self.page.goto(self.site + name + ".html", wait_until="load")
        for device, width in WIDTHS.items():
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme)
                self.expect(IS_IN, scheme, f"is not {scheme}")
                self.expect(FITS, None, f"is too wide for a {device}")
                if name in SHOWN:
                    self.page.wait_for_timeout(300)  # colours fade in
                    self.page.screenshot(path=pictures / f"{name.replace('/', '-')}-{device}-{scheme}.png")
        for source in self.page.evaluate(BROKEN):
            self.complain(f"no picture {source}")

    def search(self, words: str, pictures: Path) -> None:
        for device, width in WIDTHS.items():
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.goto(self.site + "index.html")
            self.expect(MAY_SEARCH, None, "has no search")
            if device == "telephone":
                self.page.locator("label[for=__search]").first.click()
            self.page.locator("input[name=query]").press_sequentially(words) # as keys: it listens to those
            self.expect(FOUND, words, f"the search for {words} does not find it first")
            self.page.screenshot(path=pictures / f"search-{device}.png")


def main() -> int:
    site, pictures = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    names = sorted(path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html"))
    sources = [name for name in names if name.startswith("source/")]
    names = [name for name in names if name not in sources[1:] + ["404"]] # one is as good as all
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        reader = Reader(browser, serve(site))
        for name in names:
            reader.look(name, pictures)
        reader.search("plx_register", pictures)
        browser.close()
    print(*reader.wrong, sep="\n", end="\n" if reader.wrong else "")
    print(f"{len(names)} pages, {len(reader.wrong)} complaints")
    return 1 if reader.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
