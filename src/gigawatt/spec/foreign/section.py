"""A mapping of a foreign YAML file: its known keys by type, with the line of each, and nothing passed over."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.documents import CoreLoader, Document, read_mappings
from gigawatt.spec.faults import nearest
from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.units import shown


class WrittenLoader(CoreLoader):
    """Keeps the spelling of numbers with a fraction: a variable of 1e3, and Python 3.10."""


WrittenLoader.add_constructor("tag:yaml.org,2002:float", WrittenLoader.construct_scalar)


def told_alike(advice: str, *keys: str) -> dict[str, str]:
    """The same advice for several keys, for `Section.expect`."""
    return dict.fromkeys(keys, advice)


def sections_of(text: str, findings: Findings) -> "list[Section]":
    """The documents of a file that are not empty. Raises RefusalError with line and column."""
    documents = read_mappings(text, findings.source, WrittenLoader)
    return [Section(document, findings, document.data) for document in documents]


class Section:
    """The mapping at `path`. Every key is either taken, or told with what to do instead, or refused as unknown."""

    def __init__(
        self, document: Document, findings: Findings, data: Mapping[str, Any], path: str = ""
    ) -> None:
        self.findings = findings
        self.data = data
        self.path = path
        self._document = document

    def expect(self, taken: Iterable[str], told: Mapping[str, str]) -> None:
        """Refuse what is neither `taken` nor `told` (key to advice), and tell the latter. Raises RefusalError."""
        allowed = {*taken, *told}
        for key, value in self.data.items():
            if key not in allowed:
                raise self.findings.refusal(
                    self.full(key),
                    self.line(key),
                    "is not a known key",
                    nearest(key, allowed),
                    code=RefusalCode.UNKNOWN_FIELD,
                )
            if key in told and value not in (None, False, "", [], {}):
                self.note(key, "has no counterpart", told[key])

    def full(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def line(self, key: str = "") -> int:
        return self._document.locate(self.full(key) if key else self.path).line

    def note(self, key: str, detail: str, advice: str = "") -> None:
        self.findings.note(self.full(key), self.line(key), detail, advice)

    def wrong(self, key: str, detail: str, hint: str = "") -> RefusalError:
        """A refusal for the caller to raise."""
        return self.findings.refusal(self.full(key), self.line(key), detail, hint)

    def text(self, key: str) -> str:
        """Text, or a number as it is written; empty where there is none. Raises RefusalError."""
        value = self.data.get(key)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(key, f"must be text, got {shown(value)}")
        return str(value)

    def whole(self, key: str, default: int, *, at_least: int = 0) -> int:
        """A whole number. Raises RefusalError."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
            raise self.wrong(
                key, f"must be a whole number of at least {at_least}, got {shown(value)}"
            )
        return value

    def section(self, key: str) -> "Section | None":
        """The mapping at `key`, or None. Raises RefusalError."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(key, f"must be a mapping, got {shown(value)}")
        return Section(
            self._document, self.findings, cast("Mapping[str, Any]", value), self.full(key)
        )

    def items(self, key: str) -> "list[Section]":
        """The mappings of the list at `key`. Raises RefusalError."""
        value = self.data.get(key)
        listed: list[object] = cast("list[object]", value) if isinstance(value, list) else []
        if value is not None and not isinstance(value, list):
            raise self.wrong(key, f"must be a list, got {shown(value)}")
        found: list[Section] = []
        for index, each in enumerate(listed):
            if not isinstance(each, Mapping):
                raise self.wrong(key, f"must be a list of mappings, got {shown(each)}")
            data, path = cast("Mapping[str, Any]", each), self.full(f"{key}.{index}")
            found.append(Section(self._document, self.findings, data, path))
        return found

    def texts(self, key: str) -> list[str]:
        """A list of texts; one text stands for a list of it. Raises RefusalError."""
        value = self.data.get(key)
        if value is None:
            return []
        listed: list[object] = cast("list[object]", value) if isinstance(value, list) else [value]
        for each in listed:
            if isinstance(each, bool) or not isinstance(each, str | int | float):
                raise self.wrong(key, f"must be a list of texts, got {shown(each)}")
        return [str(each) for each in listed]

    def variables(self, key: str) -> dict[str, Any]:
        """Variables as a mapping or as a list of NAME=VALUE; without a value, None. Raises RefusalError."""
        value = self.data.get(key)
        if value is None:
            return {}
        if isinstance(value, list):
            split = [each.partition("=") for each in self.texts(key)]
            return {name.strip(): text if equals else None for name, equals, text in split}
        held = self.section(key)
        assert held is not None
        for name, each in held.data.items():
            if isinstance(each, list | Mapping):
                raise held.wrong(name, f"must be text, got {shown(cast('object', each))}")
        return dict(held.data)
