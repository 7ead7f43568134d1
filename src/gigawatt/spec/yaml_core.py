"""YAML with the scalars of version 1.2's core schema: `on`, `no`, `1:30` and `2024-01-01` are text."""

import re

import yaml

TAG = "tag:yaml.org,2002:"


def _core_scalars() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """By first character: the tag, and the pattern that gives it."""
    number = r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
        ("int", r"[-+]?(0|[1-9][0-9]*)", [*"-+0123456789"]),
        ("float", number, [*"-+.0123456789"]),
        ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
        ("merge", r"<<", ["<"]),
    ):
        for character in first:
            known = found.setdefault(character, [])
            known.append((TAG + kind, re.compile(f"^(?:{pattern})$")))
    return found


class CoreLoader(yaml.SafeLoader):
    """A safe loader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers = _core_scalars()
