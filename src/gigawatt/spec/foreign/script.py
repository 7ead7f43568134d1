"""Shell text as lines and words, as far as it takes to find a command in it. Nothing is expanded or run.

A line is logical: continued physical lines belong together, and so do a here-document's. A word keeps its quotes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(
    r"""(?P<operator>&&|\|\||;;|[;|]|&(?!>))|(?P<word>(?:"(?:\\.|[^"\\])*"|'[^']*'|\$\([^()]*\)|`[^`]*`"""
    r"""|\\.|>&|&>|[^\s"'`\\;|&])+)|["'`\\]""",
    re.DOTALL,
)
_HERE = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_]\w*)\1")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+|declare\s+(?:-\w+\s+)?)?([A-Za-z_]\w*)=")
_REFERENCE = re.compile(r"\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A logical line. `number` is its first physical line, from 1."""

    number: int
    text: str

    @property
    def blank(self) -> bool:
        """Nothing, or a comment."""
        return not self.text.strip() or self.text.lstrip().startswith("#")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word with its quotes, or an operator between commands, and where it stands in its line."""

    text: str
    start: int
    end: int
    operator: bool = False

    @property
    def plain(self) -> str:
        """Without quotes around the whole."""
        quoted = len(self.text) > 1 and self.text[0] == self.text[-1] and self.text[0] in "\"'"
        return self.text[1:-1] if quoted else self.text


def lines_of(script: str) -> list[Line]:
    """The logical lines of a script."""
    found: list[Line] = []
    kept: list[str] = []
    start, until = 1, ""
    for number, text in enumerate(script.split("\n"), start=1):
        if not kept:
            start = number
        kept.append(text)
        if until:
            until = "" if text.strip() == until else until
        elif here := _HERE.search(text):
            until = here.group(2)
        comment = text.lstrip().startswith("#")
        if until or (text.endswith("\\") and not text.endswith("\\\\") and not comment):
            continue
        found.append(Line(number=start, text="\n".join(kept)))
        kept = []
    if kept:
        found.append(Line(number=start, text="\n".join(kept)))
    return found


def words_of(text: str) -> list[Word]:
    """The words and operators of a line; a comment at its end is left out, a continuation is white space."""
    found: list[Word] = []
    for match in _WORD.finditer(text.replace("\\\n", "  ")):
        if match.group().startswith("#"):
            break
        found.append(
            Word(
                text=match.group(),
                start=match.start(),
                end=match.end(),
                operator=match.lastgroup == "operator",
            )
        )
    return found


def commands_of(text: str) -> Iterator[tuple[list[Word], str]]:
    """Each command of a line with the operator after it, empty at the line's end."""
    held: list[Word] = []
    for word in words_of(text):
        if word.operator:
            yield held, word.text
            held = []
        else:
            held.append(word)
    if held:
        yield held, ""


def assigned(text: str) -> str:
    """The variable that a line of assignment sets; empty where it is none."""
    match = _ASSIGNMENT.match(text)
    return match.group(1) if match else ""


def references(text: str) -> frozenset[str]:
    """The variables that a text expands."""
    return frozenset(_REFERENCE.findall(text))


def is_assignment(word: str) -> bool:
    """Whether a word sets a variable for the command after it."""
    return bool(re.match(r"[A-Za-z_]\w*=", word))
