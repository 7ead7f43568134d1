"""Filters by label, as people write them: `key=value`, `key`, `!key`."""

import re

from gigawatt.model.notification import LabelTerm
from gigawatt.spec import limits, names
from gigawatt.spec.units import UnitError, shown

TERM = re.compile(rf"(?P<not>!?)(?P<key>{names.LABEL_KEY_PATTERN[1:-1]})(?:=(?P<value>.*))?")
TERM_HINT = "write key=value, key, or !key"


def parse_term(text: str) -> LabelTerm:
    """`key=value`, `key` or `!key`. Raises UnitError."""
    found = TERM.fullmatch(text)
    value = found["value"] if found else None
    if not found or (value is not None and len(value) > limits.LABEL_CHARS_MAX):
        raise UnitError(f"is no filter by label: {shown(text)}", TERM_HINT)
    return LabelTerm(key=found["key"], value=value, negated=bool(found["not"]))
