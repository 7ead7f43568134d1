"""Documents as YAML that people go on editing: what was not carried over on top, scripts as blocks."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import yaml
from yaml.nodes import ScalarNode

from gigawatt.spec.documents import CoreLoader
from gigawatt.spec.foreign.findings import Note

WIDTH = 100
_INTRO = "Converted from {source} ({kind})."
_WHOLE = "Everything in it was carried over."
_NOTES = "Not carried over as it stands:"


def yaml_of(
    documents: Sequence[dict[str, Any]], notes: Sequence[Note], *, source: str, kind: str
) -> str:
    """One YAML text for `gw run` or `gw serve`, which our own parser reads to the same values."""
    head = [f"# {_INTRO.format(source=_line(source), kind=kind)}"]
    head.append(f"# {_NOTES if notes else _WHOLE}")
    for note in notes:
        place = f"{note.key} (line {note.line})" if note.line else note.key
        said = f"{place}: {note.detail}" + (f" -> {note.advice}" if note.advice else "")
        head += textwrap.wrap(
            _line(said),
            WIDTH,
            initial_indent="#   ",
            subsequent_indent="#     ",
            break_on_hyphens=False,
        )
    bodies = [_body(document) for document in documents]
    return "\n".join(head) + "\n" + "---\n".join(bodies)


def _body(document: dict[str, Any]) -> str:
    return yaml.dump(  # pyright: ignore[reportUnknownMemberType] - its stub has no types
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH
    )


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would read as something else than text."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> ScalarNode:
    odd = any(letter not in "\n\t" and not letter.isprintable() for letter in value)
    style = '"' if odd else "|" if "\n" in value else None
    represent = dumper.represent_scalar  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - its stub has no types
    return represent("tag:yaml.org,2002:str", value, style=style)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    early, core = yaml.SafeDumper.yaml_implicit_resolvers, CoreLoader.yaml_implicit_resolvers
    return {first: [*early.get(first, []), *core.get(first, [])] for first in {*early, *core}}


_Dumper.yaml_implicit_resolvers = _resolvers()
_Dumper.add_representer(str, _text)


def _line(text: str) -> str:
    """On one line, without characters that a terminal acts on."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
