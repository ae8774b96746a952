# SPDX-License-Identifier: MIT
"""Reads pollux.h: sections of groups, each a comment and what it declares.

A comment is, in this order: paragraphs, lists and indented programs; then the labels
Returns, Threads, Lifetime, Units, Portability, each at most once. A list's items are
indented by two, its terms and their texts two blanks apart, but for names of errors,
after which one is enough. What does not fit, and a name that nothing declares, is an error.
"""
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LABELS = ("Returns", "Threads", "Lifetime", "Units", "Portability")
OURS = re.compile(r"\b(?:plx|PLX)_\w+")
NOT_OURS = {"PLX_BACKEND"}  # a variable of the environment
NOT_SHOWN = {"PLX_API", "POLLUX_H"}


class Malformed(Exception):
    """The header, at a line, is not as this tool needs it."""

    def __init__(self, line: int, why: str):
        super().__init__(f"line {line}: {why}")


@dataclass
class Text:
    text: str


@dataclass
class Code:
    lines: list[str]


@dataclass
class Terms:
    items: list[tuple[str, list["Block"]]]


Block = Text | Code | Terms


@dataclass
class Symbol:
    name: str
    kind: str  # function, type or constant
    code: str = ""  # of a function
    parts: list[tuple[str, str]] = field(default_factory=list)  # its members, or the constant itself, and what they are


    def names(self) -> list[str]:
        """An enum's constants are names, too."""
        return [self.name, *(part for part, _ in self.parts if part.startswith("PLX_") and part != self.name)]


@dataclass
class Group:
    line: int
    text: list[Block]
    labels: dict[str, list[Block]]
    code: str = ""  # of types and constants
    system: str | None = None  # the condition under which it is there
    symbols: list[Symbol] = field(default_factory=list)

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for symbol in self.symbols for name in symbol.names()))

    def functions(self) -> list[Symbol]:
        return [symbol for symbol in self.symbols if symbol.kind == "function"]

    def all_text(self) -> list[Block]:
        """What it says before the labels: of itself, then of constants and members."""
        parts = [(name, [Text(what)]) for symbol in self.symbols for name, what in symbol.parts if what]
        return self.text + ([Terms(parts)] if parts else [])

    def summary(self) -> str:
        """The first sentence, or the first half of a long one, as the middle of another."""
        first = next(block.text for block in self.text if isinstance(block, Text))
        sentence = re.split(r"\.(?=\s|$)", first)[0].rstrip(":")
        half = re.match(r"(?:\S+ ){2,}[^ (\"]*?(?=[:;] )", sentence)
        sentence = half[0] if half and "(" not in half[0] and '"' not in half[0] else sentence
        return sentence if OURS.match(sentence) else sentence[0].lower() + sentence[1:]


@dataclass
class Section:
    title: str
    groups: list[Group] = field(default_factory=list)


@dataclass
class Header:
    overview: list[Block]
    sections: list[Section]
    version: str

    def groups(self) -> list[Group]:
        return [group for section in self.sections for group in section.groups]

    def names(self) -> list[str]:
        return [name for group in self.groups() for name in group.names()]


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


TERM = re.compile(r"  (-E\w+(?:, -\w+)*|-PLX_E\w+|\S+(?: \S+){0,2}(?=  ))(?:\s+|$)(.*)")
FLAG = re.compile(r"(PLX_\w+)  +(\S.*)")


def blocks(lines: list[tuple[int, str]]) -> list[Block]:
    """Paragraphs, lists and programs. A list inside an item's text is found once that is moved left."""
    found: list[Block] = []
    bodies: list[list[tuple[int, str]]] = []  # of the list that is open
    state = None  # what the next line may belong to: text, term or code
    for number, line in lines:
        term = TERM.fullmatch(line) or FLAG.fullmatch(line)
        if not line:
            state = "code" if state == "code" else None
            if state:
                found[-1].lines.append("")
        elif state in (None, "code") and indent(line) >= 4:
            if state is None:
                found.append(Code([]))
            found[-1].lines.append(line[4:])
            state = "code"
        elif term:
            if state != "term":
                found.append(Terms([]))
            bodies.append([(number, term[2])] if term[2] else [])
            found[-1].items.append((term[1], bodies[-1]))
            state = "term"
        elif state == "term" and indent(line) > 2:
            bodies[-1].append((number, line))
        elif re.match(r"\S+  +\S", line):
            raise Malformed(number, f"neither a label nor a flag: {line.split()[0]}")
        elif state == "text" and indent(line) in (0, 2):
            found[-1].text += " " + line.strip()
        elif indent(line) in (0, 2):
            found.append(Text(line.strip()))
            state = "text"
        else:
            raise Malformed(number, f"indented by {indent(line)}")
    for block in found:
        if isinstance(block, Terms):
            block.items = [(term, blocks(moved_left(body))) for term, body in block.items]
        elif isinstance(block, Code):
            while not block.lines[-1]:
                block.lines.pop()
    return found


def moved_left(body: list[tuple[int, str]]) -> list[tuple[int, str]]:
    by = min((indent(line) for _, line in body[1:] if line), default=0)
    return body[:1] + [(number, line[by:]) for number, line in body[1:]]


def comment(text: str, line: int) -> tuple[list[Block], dict[str, list[Block]]]:
    """Without the stars: what it says, and what it says under each label."""
    inside = text.removeprefix("/*").rstrip().removesuffix("*/")
    lines = [(line + at, re.sub(r"^ \* ?", "", row).rstrip()) for at, row in enumerate(inside.split("\n"))]
    lines[0] = (line, lines[0][1].strip())
    if "\t" in text:
        raise Malformed(line, "a tab")
    starts = [at for at, (_, row) in enumerate(lines) if re.match(rf"({'|'.join(LABELS)})(  |$)", row)]
    labels: dict[str, list[Block]] = {}
    for at, end in zip(starts, starts[1:] + [len(lines)]):
        number, row = lines[at]
        label, _, first = row.partition(" ")
        if label in labels or [name for name in LABELS if name in labels or name == label][-1] != label:
            raise Malformed(number, f"{label} is there twice, or in the wrong place")
        body = [(number, first.strip())] if first else []
        for after in lines[at + 1:end]:
            deeper = indent(after[1]) > 2 and not any(indent(row) == 2 for _, row in body)
            body.append((after[0], after[1].strip()) if deeper else after)
        labels[label] = blocks(body)
        if not labels[label] or any(row and not row.startswith(" ") for _, row in lines[at + 1:end]):
            raise Malformed(number, f"{label} has no text, or one that is not indented")
    return blocks(lines[:starts[0]] if starts else lines), labels


TOKENS = re.compile(r"""
    (?P<banner>     /\*\ ----\ (?P<title>.*?)\ -+\ \*/\n)
  | (?P<comment>    /\*.*?\*/\n)
  | (?P<function>   (?:PLX_API|static\ inline)\ (?P<result>[^();]*?)(?P<name>plx_\w+)\((?P<parameters>[^()]*)\)
                    (?:;|\n\{.*?^\})\n)
  | (?P<compound>   typedef\ (?:struct|enum)\ plx_\w+\ \{\n(?P<members>.*?)^\}\ (?P<compound_name>plx_\w+);\n)
  | (?P<typedef>    typedef\ [^{};]*?(?P<typedef_name>plx_\w+);\n)
  | (?P<define>     \#define\ (?P<macro>\w+)(?:\([^)]*\))?(?P<value>.*?)(?:/\*(?P<what>.*?)\*/)?\n)
  | (?P<condition>  \#(?:ifdef|ifndef|if)\ [^\n]*\n)
  | (?P<otherwise>  \#(?:else|elif)[^\n]*\n)
  | (?P<end>        \#endif\n)
  | (?P<ignored>    \n|\#include\ [^\n]*\n|extern\ "C"\ \{\n|\}\n)
    """, re.VERBOSE | re.DOTALL | re.MULTILINE)
MEMBER = re.compile(r"    [^;,/]*?([A-Za-z]\w*)(?:\)\([^;]*)?(?: = \d+)?[;,]?\s*(?:/\*(.*?)\*/)?\n", re.DOTALL)


def one_line(text: str) -> str:
    return " ".join(text.split())


def declared(token: re.Match, line: int) -> Symbol | None:
    if token["function"]:
        return Symbol(token["name"], "function", one_line(f"{token['result']}{token['name']}({token['parameters']});"))
    if token["compound"]:
        members = MEMBER.findall(token["members"])
        if MEMBER.sub("", token["members"]):
            raise Malformed(line, f"a member of {token['compound_name']} is not understood")
        return Symbol(token["compound_name"], "type", parts=[(name, one_line(what)) for name, what in members])
    if token["typedef"]:
        return Symbol(token["typedef_name"], "type")
    if token["define"]:
        what = [(token["macro"], one_line(token["what"]))] if token["what"] else []
        return Symbol(token["macro"], "constant", parts=what)
    return None


def code_of(tokens: list[re.Match]) -> str:
    """Without comments, and with the conditions that are about some of it alone."""
    kept: list[re.Match] = []
    opened: list[int] = []
    for token in tokens:
        kept.append(token)
        if token["condition"]:
            opened.append(len(kept) - 1)
        elif token["end"]:
            start = opened.pop() if opened else len(kept) - 1
            if all(inside["condition"] or inside["otherwise"] or inside["end"] for inside in kept[start:]):
                del kept[start:]
    for start in reversed(opened):
        del kept[start]
    code = "".join(token[0] for token in kept)
    return re.sub(r"\s*/\*.*?\*/", "", code, flags=re.DOTALL).rstrip()


def tokens_of(source: str) -> Iterator[tuple[int, re.Match]]:
    position = source.index("*/\n") + 3  # behind the licence
    while position < len(source):
        line = source.count("\n", 0, position) + 1
        token = TOKENS.match(source, position)
        if not token:
            raise Malformed(line, f"not understood: {source[position:].splitlines()[0]}")
        yield line, token
        position = token.end()


def read(source: str) -> Header:
    sections = [Section("The version")]
    overview: list[Block] = []
    group, code = None, {}  # of each group by its line
    conditions: list[str] = []  # first that the header is not there yet
    for line, token in tokens_of(source):
        symbol = declared(token, line)
        if token["banner"]:
            group = None
            sections.append(Section(token["title"]))
        elif token["comment"] and not overview:
            overview, _ = comment(token[0], line)
        elif token["comment"]:
            group = Group(line, *comment(token[0], line), system=conditions[1] if conditions[1:] else None)
            sections[-1].groups.append(group)
            code[line] = []
        elif token["condition"]:
            conditions.append(token["condition"].split(maxsplit=1)[1].strip())
        elif token["end"]:
            conditions.pop()
        if token["comment"] or token["ignored"] or symbol and symbol.name in NOT_SHOWN:
            continue
        if symbol and not group:
            raise Malformed(line, f"{symbol.name} has no comment")
        if group:
            group.symbols += [symbol] if symbol else []
            code[group.line].append(token)
    version = re.search(r'#define PLX_VERSION +"(.*)"', source)
    if not version:
        raise Malformed(1, "no PLX_VERSION")
    found = Header(overview, [section for section in sections if section.groups], version[1])
    check(found, source)
    for group in found.groups():
        if not group.functions():
            group.code = code_of(code[group.line])
    return found


def check(header: Header, source: str) -> None:
    """What the comments say of functions and names is complete, and about names that exist."""
    names = set(header.names()) | NOT_OURS | NOT_SHOWN
    for group in header.groups():
        if not group.symbols:
            raise Malformed(group.line, "a comment that declares nothing")
        if "Returns" not in group.labels and any(symbol.code.startswith("int ") for symbol in group.functions()):
            raise Malformed(group.line, f"{group.symbols[0].name} returns errors, and says none")
    for number, row in enumerate(source.split("\n"), 1):
        for name in OURS.findall(row) if row.startswith((" *", "/*")) else []:
            if name not in names:
                raise Malformed(number, f"nothing is called {name}")
