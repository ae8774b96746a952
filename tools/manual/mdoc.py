# SPDX-License-Identifier: MIT
"""Writes manual pages in mdoc: section 3, a page for each group of functions and each type,
one for the constants of a section; pollux(7) from the header's first comment."""
import re
from dataclasses import dataclass

from header import Block, Code, Group, Header, Section, Terms, Text

SPAN = re.compile(r"`[^`]+`|-E[A-Z]+\b|-PLX_E\w+|\b(?:plx|PLX)_\w+|\b[a-z_]\w*\(\d\)")
CLOSING = ")].,:;?!"


@dataclass
class Page:
    name: str
    section: Section
    groups: list[Group]

    def names(self) -> list[str]:
        return [name for group in self.groups for name in group.names()]


def pages_of(header: Header) -> list[Page]:
    found = []
    for section in header.sections:
        constants = None
        for group in section.groups:
            if {symbol.kind for symbol in group.symbols} != {"constant"}:
                found.append(Page(group.symbols[0].name, section, [group]))
            elif constants:
                constants.groups.append(group)
            else:
                constants = Page(group.symbols[0].name, section, [group])
                found.append(constants)
    return found


class Writer:
    """One page's lines. What it is about is set in bold there, and is a reference elsewhere."""

    def __init__(self, header: Header, page: Page | None):
        self.lines: list[str] = []
        self.kinds = {symbol.name: symbol.kind for group in header.groups() for symbol in group.symbols}
        self.places = {name: found.name for found in pages_of(header) for name in found.names()}
        self.page = page

    def macro(self, span: str) -> str:
        if span.startswith("`"):
            return f"Fa {span[1:-1]}"
        if span.startswith("-"):
            return rf"Er \{span}"
        if span.endswith(")"):
            return f"Xr {span[:-3]} {span[-2]}"
        kind = self.kinds.get(span, "constant")
        if kind == "constant":
            return f"Dv {span}"
        if self.page and self.places[span] == self.page.name:
            return f"{'Fn' if kind == 'function' else 'Vt'} {span}"
        return f"Xr {span} 3" if kind == "function" else f"Vt {span}"

    def word(self, word: str) -> str | None:
        """A word with something to be set in it, as the rest of a line of macros."""
        parts, at = [], 0
        for span in SPAN.finditer(word):
            if span.start() > at:
                parts.append(r"No \&" + escaped(word[at:span.start()]))
            parts.append(self.macro(span[0]))
            at = span.end()
        if not parts:
            return None
        rest = word[at:]
        if rest and all(letter in CLOSING for letter in rest):
            return " Ns ".join(parts) + " " + " ".join(rest)
        return " Ns ".join(parts + ([r"No \&" + escaped(rest)] if rest else []))

    def text(self, text: str) -> None:
        """Sentences begin lines, and so does what is set."""
        plain: list[str] = []

        def flush():
            if plain:
                line = " ".join(plain)
                self.lines.append(r"\&" + line if line[0] in ".'" else line)
                plain.clear()

        for word in words(text):
            macros = self.word(word)
            if macros:
                flush()
                self.lines.append("." + macros)
            else:
                plain.append(escaped(word))
                if re.search(r"[.!?][)\]]*$", word):
                    flush()
        flush()

    def blocks(self, blocks: list[Block]) -> None:
        for at, block in enumerate(blocks):
            if isinstance(block, Text):
                if at:
                    self.lines.append(".Pp")
                self.text(block.text)
            elif isinstance(block, Code):
                self.code(block.lines, "-offset indent")
            else:
                self.terms(block)

    def terms(self, terms: Terms) -> None:
        self.lines.append(".Bl -tag -width Ds")
        for term, body in terms.items:
            self.lines.append(".It " + " ".join(self.word(word) or f"No {word}" for word in words(term)))
            self.blocks(body)
        self.lines.append(".El")

    def code(self, lines: list[str], how: str = "") -> None:
        self.lines += [f".Bd -literal {how}".rstrip(), *(literal(line) for line in lines), ".Ed"]

    def heading(self, name: str) -> None:
        self.lines.append(f".Sh {name}")


def words(text: str) -> list[str]:
    """What is between blanks, `a = b` being one."""
    return re.findall(r"(?:`[^`]*`|\S)+", text)


def escaped(text: str) -> str:
    return re.sub(r"^-(?=\w)", r"\-", text.replace("\\", r"\e"))


def literal(line: str) -> str:
    line = line.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + line if line.startswith((".", "'")) else line


def split_parameters(code: str) -> tuple[str, str, list[str]]:
    result, name, parameters = re.fullmatch(r"(.*?)(plx_\w+)\((.*)\);", code).groups()
    return result.strip(), name, parameters.split(", ")


def synopsis(writer: Writer, group: Group) -> None:
    if group.system:
        writer.lines.append(f'.Fd "#ifdef {group.system}"')
    if any(symbol.kind == "type" for symbol in group.symbols):
        writer.code(group.code.split("\n"))
    elif group.code:
        writer.lines += [f'.Fd "{line}"' for line in group.code.split("\n")]
    for symbol in group.functions():
        result, name, parameters = split_parameters(symbol.code)
        writer.lines += [f".Ft {result}", f".Fo {name}"]
        writer.lines += [f'.Fa "{parameter}"' for parameter in parameters] + [".Fc"]
    if group.system:
        writer.lines.append('.Fd "#endif"')


def capitalised(text: list[Block]) -> list[Block]:
    """As a section begins, where in the header it goes on behind a label."""
    first = text[0]
    if isinstance(first, Text) and first.text[:2].isalpha():
        return [Text(first.text[0].upper() + first.text[1:]), *text[1:]]
    return text


def page(header: Header, page: Page, date: str) -> str:
    writer = Writer(header, page)
    names = page.names()
    writer.lines += [f".Dd {date}", f".Dt {page.name.upper()} 3", f".Os Pollux {header.version}"]
    writer.heading("NAME")
    writer.lines += [f".Nm {name} ," for name in names[:-1]] + [f".Nm {names[-1]}"]
    writer.lines.append(".Nd " + escaped(page.groups[0].summary().replace("`", "")))
    writer.heading("SYNOPSIS")
    writer.lines.append(".In pollux.h")
    for group in page.groups:
        synopsis(writer, group)
    writer.heading("DESCRIPTION")
    for group in page.groups:
        if group is not page.groups[0]:
            writer.lines.append(".Pp")
        writer.blocks(group.all_text())
    for group in page.groups:
        for label, text in group.labels.items():
            writer.heading("RETURN VALUES" if label == "Returns" else label.upper())
            writer.blocks(capitalised(text))
    writer.heading("SEE ALSO")
    others = {other.name for other in pages_of(header) if other.section is page.section} - {page.name}
    writer.lines += [f".Xr {name} 3 ," for name in sorted(others, key=str.lower)] + [".Xr pollux 7"]
    return "\n".join(writer.lines) + "\n"


def overview(header: Header, date: str) -> str:
    writer = Writer(header, None)
    title, *rest = header.overview
    at = next(at for at, block in enumerate(rest) if isinstance(block, Text) and block.text.startswith("CONVENTIONS"))
    writer.lines += [f".Dd {date}", ".Dt POLLUX 7", f".Os Pollux {header.version}"]
    writer.heading("NAME")
    writer.lines += [".Nm pollux", ".Nd " + title.text.partition(": ")[2].rstrip(".")]
    writer.heading("SYNOPSIS")
    writer.lines.append(".In pollux.h")
    writer.heading("DESCRIPTION")
    writer.blocks(rest[:at])
    name, _, when = rest[at].text.partition(", ")
    writer.heading(name)
    writer.text(f"These hold{when.removeprefix('which hold')}.")
    writer.blocks(rest[at + 1:])
    writer.heading("FUNCTIONS AND TYPES")
    for section in header.sections:
        writer.lines += [f".Ss {section.title}", ".Bl -tag -width Ds -compact"]
        for found in pages_of(header):
            if found.section is section:
                writer.lines += [f".It Xr {found.name} 3", escaped(found.groups[0].summary().replace("`", ""))]
        writer.lines.append(".El")
    return "\n".join(writer.lines) + "\n"


def write(header: Header, date: str) -> dict[str, str]:
    """Every file of the manual, by its path. A further name is a file that names its page's."""
    files = {"man7/pollux.7": overview(header, date)}
    pages = pages_of(header)
    taken = {found.name.lower() for found in pages}
    for found in pages:
        files[f"man3/{found.name}.3"] = page(header, found, date)
    for found in pages:
        for name in found.names():
            if name.lower() not in taken: # not on file systems that take PLX_TIMER for plx_timer
                taken.add(name.lower())
                files[f"man3/{name}.3"] = f".so man3/{found.name}.3\n"
    return files
