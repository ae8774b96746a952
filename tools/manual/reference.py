# SPDX-License-Identifier: MIT
"""The reference as Markdown: a page for each section of the header, an anchor for each name."""
import re

from header import OURS, Block, Code, Group, Header, Section, Terms, Text

SPAN = re.compile(rf"`[^`]+`|-E[A-Z]+\b|-PLX_E\w+|{OURS.pattern}(?:\.\w+)?")


def inline(text: str) -> str:
    """Names are code, which the site makes references of; nothing else means anything to Markdown."""
    found, at = [], 0
    for span in SPAN.finditer(text):
        found += [escaped(text[at:span.start()]), f"`{span[0].strip('`')}`"]
        at = span.end()
    return "".join(found) + escaped(text[at:])


def escaped(text: str) -> str:
    return re.sub(r"([\\*_<>\[\]#])", r"\\\1", text)


def markdown(blocks: list[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Text):
            lines += [inline(block.text), ""]
        elif isinstance(block, Code):
            lines += ["```c", *block.lines, "```", ""]
        else:
            lines += terms(block)
    return lines


def terms(block: Terms) -> list[str]:
    lines: list[str] = []
    for term, body in block.items:
        inner = markdown(body)
        lines += [f"- **{inline(term)}**" + (f" {inner[0]}" if inner else "")]
        lines += [f"    {line}" if line else "" for line in inner[1:]]
    return [*(line for at, line in enumerate(lines) if line or at + 1 < len(lines)), ""]


def anchor(name: str) -> str:
    return f'[](){{#{name}}}'


def group(found: Group) -> list[str]:
    names = found.names()
    shown = names if len(names) < 4 else [names[0], "…"]
    lines = [f"## {', '.join(shown)} {{#{names[0]}}}", ""]
    if names[1:]:
        lines += ["".join(anchor(name) for name in names[1:]), ""]
    code = [wrapped(symbol.code) for symbol in found.functions()] or [found.code]
    if found.system:
        code = [f"#ifdef {found.system}", *code, "#endif"]
    lines += ["```c", *code, "```", "", *markdown(found.all_text())]
    for label, text in found.labels.items():
        first, *rest = markdown(text)
        lines += [f"**{label}**" + (f" {first}" if isinstance(text[0], Text) else f"\n\n{first}"), *rest]
    return lines


def wrapped(code: str) -> str:
    """A declaration, its parameters one below the other where the column is too narrow."""
    if len(code) <= 76:
        return code
    head, _, parameters = code.partition("(")
    return f"{head}(\n    " + parameters.replace(", ", ",\n    ")


def title(section: Section) -> str:
    return section.title.partition(":")[0]


def file_name(section: Section) -> str:
    return title(section).lower().removeprefix("the ").replace(" ", "-") + ".md"


def pages(header: Header) -> dict[str, str]:
    """The text of each page, by its file name. index.md is what the header says first."""
    first, *overview = header.overview
    index = ["# Reference", "", inline(first.text), "", *markdown(overview), "## Pages {#pages}", ""]
    found = {}
    for section in header.sections:
        found[file_name(section)] = "\n".join([f"# {title(section)}", "",
                                               *(line for part in section.groups for line in group(part))])
        index += [f"**[{title(section)}]({file_name(section)})**", ""]
        index += [f"- `{part.symbols[0].name}` {inline(part.summary())}" for part in section.groups]
        index.append("")
    return {"index.md": "\n".join(index), **found}


def places(header: Header) -> dict[str, str]:
    """Where each name is said: PAGE.md#NAME."""
    return {name: f"{file_name(section)}#{name}"
            for section in header.sections for part in section.groups for name in part.names()}
