# SPDX-License-Identifier: MIT
"""What MkDocs does not know of this tree: pages that are not in docs/, and links to them.

The reference is written from the header. README.md and its like are pages, too, and so is each
file that a page refers to, or the site would lead out of itself. A name of the library's in
code leads to the reference.
"""
import json
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File, InclusionLevel

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/manual"))
import header
import reference

PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "bench/README.md": "benchmarks.md",
    "integrations/README.md": "integrations.md",
}
LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)([^)]*)\)")
NAME = re.compile(r"<(a|pre|h\d)\b.*?</\1>|<code>((?:plx|PLX)_\w+)</code>", re.DOTALL)
HEADER = header.read((TOP / "include/pollux.h").read_text())
PLACES = {name: f"reference/{place}" for name, place in reference.places(HEADER).items()}


def source_of(uri: str) -> str:
    """The file of the tree that a page is made of."""
    return next((path for path, page in PAGES.items() if page == uri), f"docs/{uri}")


def page_of(path: str) -> str | None:
    """Where a file of the tree is on the site; a folder is nowhere."""
    if path.startswith("docs/") and not path.endswith(".c"):
        return path.removeprefix("docs/")
    return PAGES.get(path) or (f"source/{path}.md" if (TOP / path).is_file() else None)


def target(link: re.Match, uri: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source_of(uri)), link[2]))


def on_files(files, config):
    def add(uri, content, inclusion=InclusionLevel.INCLUDED):
        if not files.get_file_from_path(uri):
            files.append(File.generated(config, uri, content=content, inclusion=inclusion))

    for name, text in reference.pages(HEADER).items():
        add(f"reference/{name}", text)
    for path, uri in PAGES.items():
        add(uri, (TOP / path).read_text())
    for file in list(files.documentation_pages()):
        for link in LINK.finditer(file.content_string):
            path = target(link, file.src_uri)
            if (page_of(path) or "").startswith("source/"):
                kind = path.rpartition(".")[2]
                code = f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n````{kind}\n{(TOP / path).read_text()}\n````\n"
                add(page_of(path), code, InclusionLevel.NOT_IN_NAV)
    return files


def on_page_markdown(markdown, page, config, files):
    def moved(link):
        path = target(link, page.file.src_uri)
        place = page_of(path)
        if not place:  # what is not there at all MkDocs complains of
            return link[1] if (TOP / path).is_dir() else link[0]
        return f"[{link[1]}]({posixpath.relpath(place, posixpath.dirname(page.file.src_uri))}{link[3]})"

    return LINK.sub(moved, markdown) if not page.file.src_uri.startswith(("reference/", "source/")) else markdown


def on_page_content(html, page, config, files):
    def linked(found):
        if found[2] not in PLACES:
            return found[0]
        place = posixpath.relpath(PLACES[found[2]], posixpath.dirname(page.file.src_uri)).replace(".md#", ".html#")
        return f'<a href="{place}"><code>{found[2]}</code></a>'

    return NAME.sub(linked, html)


def on_post_build(config):
    """Who searches for plx_register is to find it before plx_register_native, which has rarer words."""
    path = Path(config.site_dir, "search/search_index.json")
    index = json.loads(path.read_text())
    for section in index["docs"]:
        name = section["location"].partition("#")[2]
        if any(other.startswith(f"{name}_") for other in PLACES):
            section["boost"] = 8
    path.write_text(json.dumps(index))
