"""The repository's documents, and what the tests beside this file read out of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)

# A hidden directory holds tools' files, not ours; .ci is the exception and has no documents.
_HIDDEN = re.compile(r"(^|/)\.")


@dataclass(frozen=True)
class Link:
    """A link as written, and the line it stands on."""

    target: str
    line: int


def documents(root: Path) -> list[Path]:
    """Every markdown file of the repository."""
    found = root.rglob("*.md")
    return sorted(path for path in found if not _HIDDEN.search(path.relative_to(root).as_posix()))


def links_in(text: str) -> Iterator[Link]:
    """The links of a document; code is no place for links."""
    prose = _CODE.sub(_blank, _FENCE.sub(_blank, text))
    for match in _LINK.finditer(prose):
        yield Link(match[1] or match[2], prose.count("\n", 0, match.start()) + 1)


def anchors_in(text: str) -> set[str]:
    """What can stand after ``#`` in a link to this document."""
    anchors: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub(_blank, text)):
        base = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchor, count = base, 0
        while anchor in anchors:
            count += 1
            anchor = f"{base}-{count}"
        anchors.add(anchor)
    return anchors


def link_objections(root: Path) -> Iterator[str]:
    """Links from one file of the repository to another that lead nowhere."""
    for document in documents(root):
        text = document.read_text(encoding="utf-8")
        for link in links_in(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", link.target):
                continue
            path, _, anchor = link.target.partition("#")
            target = (document.parent / path).resolve() if path else document
            where = f"{document.relative_to(root).as_posix()}:{link.line}"
            if not target.exists():
                yield f"{where}: {link.target} does not exist"
            elif not target.is_relative_to(root.resolve()):
                yield f"{where}: {link.target} is outside the repository"
            elif anchor and target.suffix == ".md" and anchor not in anchors_in(target.read_text(encoding="utf-8")):
                yield f"{where}: {link.target} names no heading"


def sections(text: str) -> dict[str, str]:
    """The text under each heading, up to the next heading of whatever level.  A repeated heading adds to the first."""
    found: dict[str, str] = {}
    heading = ""
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith(("```", "~~~"))
        match = None if fenced else _HEADING.match(line)
        if match:
            heading = match[1]
        found[heading] = found.get(heading, "") + ("" if match else line + "\n")
    return found


def first_cells(text: str) -> list[str]:
    """The first cell of each table row."""
    return [cells[0] for cells in table_rows(text)]


def table_rows(text: str) -> list[list[str]]:
    """The cells of each table row, without the rows that name columns and draw the line below them."""
    rows = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    rules = [number for number, row in enumerate(rows) if re.fullmatch(r"[|\s:-]+", row)]
    skipped = {*rules, *(number - 1 for number in rules)}
    kept = [row for number, row in enumerate(rows) if number not in skipped]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in kept]


def commands_in_readme(text: str) -> list[str]:
    """The commands of the table under *Commands*, as ``ledger show``."""
    cells = first_cells(sections(text).get("Commands", ""))
    return [cell.strip("`").removeprefix("paxon ") for cell in cells]


def commands_of(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Each command that does something, with its words; hidden ones are nobody's business."""
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            for words, inner in commands_of(command):
                yield f"{name} {words}", inner
        else:
            yield name, command


def flags_of(command: click.Command) -> list[str]:
    """The long flags of a command, or the short one where there is no other."""
    found = []
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            flags = [*parameter.opts, *parameter.secondary_opts]
            found += [flag for flag in flags if flag.startswith("--")] or flags
    return found


def flag_objections(group: click.Group, text: str) -> Iterator[str]:
    """Commands without a section in docs/commands.md, and options that their section does not mention."""
    found = sections(text)
    for words, command in commands_of(group):
        wanted = re.compile(rf"(^|[`\s])paxon {re.escape(words)}($|[`\s])")
        own = [body for heading, body in found.items() if wanted.search(heading)]
        if not own:
            yield f"paxon {words}: no heading names it"
        for flag in flags_of(command):
            if own and not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", "\n".join(own)):
                yield f"paxon {words}: {flag} is not mentioned under its heading"


def glossary_objections(names: list[str], text: str) -> Iterator[str]:
    """Names without a row in the glossary.  A row counts if any of its cells has the name in code type."""
    rows = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    coded = {word for row in rows for code in re.findall(r"`([^`]+)`", row) for word in re.findall(r"\w+", code)}
    for name in names:
        if name not in coded:
            yield f"{name}: no row in docs/glossary.md has it"


def _blank(match: re.Match[str]) -> str:
    """As many lines as before, and nothing on them."""
    return "\n" * match[0].count("\n")
