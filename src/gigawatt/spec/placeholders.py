"""`${{ name }}` in a job file: the value of a declared parameter, placed into the parsed document.

A string that is one placeholder and nothing else becomes the value with its type; within other text the value is
written out. `$${{` is `${{` as it stands. Keys are never touched, and nothing is evaluated. What a shell reads takes
only values in which a shell reads nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from gigawatt.model.refusal import Fault
from gigawatt.spec.faults import nearest, refusal
from gigawatt.spec.parameters import FIELD, Parameter, Scalar, chosen, declared, text_of
from gigawatt.spec.units import shown

OPEN = "${{"
TEXT_FIELDS = frozenset({"name", "command", "script", "env", "labels"})  # what is text anyway
SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh"})
_PLACE = re.compile(r"(\$?)\$\{\{(.*?)\}\}", re.DOTALL)
_ALONE = re.compile(r"\$\{\{([^{}]*)\}\}")
_SHELL_SAFE = re.compile(r"[A-Za-z0-9@%+=:,./_-]*")

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A job file without parameters, and the values that took their place."""

    data: dict[str, Any]
    values: dict[str, Scalar]


def filled(data: Mapping[str, Any], given: Mapping[str, object]) -> Filled:
    """The job that a file with parameters means with these values. Raises RefusalError with every fault."""
    known = checked(data)
    values = chosen(known, given)
    body = {name: each for name, each in data.items() if name != FIELD}
    faults = [
        fault
        for path, text in _texts(body, ())
        if _is_shell(body, path)
        for fault in _shell_faults(path, text, values)
    ]
    if faults:
        raise refusal(faults)
    placed = {name: _placed(each, (name,), values) for name, each in body.items()}
    return Filled(data=placed, values=values)


def checked(data: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters of a file in which every placeholder is declared and every parameter is used. Raises RefusalError."""
    known = declared(data)
    body = {name: each for name, each in data.items() if name != FIELD}
    faults: list[Fault] = list(_key_faults(body, ()))
    used: set[str] = set()
    for path, text in _texts(body, ()):
        for name in _names(text):
            used.add(name)
            if name not in known:
                faults.append(_undeclared(path, name, known))
        if OPEN in _PLACE.sub("", text):
            detail = f"{'.'.join(path)} has a placeholder without an end: {shown(text)}"
            faults.append(Fault(field=".".join(path), detail=detail, hint="write ${{ name }}"))
    for name in known:
        if name not in used:
            detail = f"parameter {name} is declared and never used"
            hint = f"write ${{{{ {name} }}}} where its value belongs"
            faults.append(Fault(field=f"{FIELD}.{name}", detail=detail, hint=hint))
    if faults:
        raise refusal(faults)
    return known


def _names(text: str) -> Iterator[str]:
    for found in _PLACE.finditer(text):
        if not found[1]:
            yield found[2].strip()


def _placed(value: object, path: Path, values: Mapping[str, Scalar]) -> object:
    match value:
        case str():
            return _text_placed(value, path, values)
        case Mapping():
            entries = cast("Mapping[str, object]", value)
            return {k: _placed(each, (*path, str(k)), values) for k, each in entries.items()}
        case Sequence():
            items = cast("Sequence[object]", value)
            return [_placed(each, (*path, str(at)), values) for at, each in enumerate(items)]
        case _:
            return value


def _text_placed(text: str, path: Path, values: Mapping[str, Scalar]) -> Scalar:
    alone = _ALONE.fullmatch(text)
    if alone and path[0] not in TEXT_FIELDS:
        return values[alone[1].strip()]
    return _PLACE.sub(
        lambda found: found[0][1:] if found[1] else text_of(values[found[2].strip()]), text
    )


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every string of a document that is no key, and where it stands."""
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, each in cast("Mapping[str, object]", value).items():
                yield from _texts(each, (*path, str(key)))
        case Sequence():
            for at, each in enumerate(cast("Sequence[object]", value)):
                yield from _texts(each, (*path, str(at)))
        case _:
            return


def _key_faults(value: object, path: Path) -> Iterator[Fault]:
    match value:
        case str():
            return
        case Mapping():
            for key, each in cast("Mapping[str, object]", value).items():
                if OPEN in str(key):
                    field = ".".join((*path, str(key)))
                    detail = f"{field} is a key, and keys take no parameters"
                    yield Fault(field=field, detail=detail)
                yield from _key_faults(each, (*path, str(key)))
        case Sequence():
            for at, each in enumerate(cast("Sequence[object]", value)):
                yield from _key_faults(each, (*path, str(at)))
        case _:
            return


def _is_shell(body: Mapping[str, Any], path: Path) -> bool:
    """Whether a shell reads the text that stands there."""
    if path[0] != "command":
        return path[0] == "script"
    command = body["command"]
    if isinstance(command, str):
        return True
    words = [str(each) for each in command]
    flags = any(re.fullmatch(r"-[a-z]*c", each) for each in words[1:])
    return bool(words) and words[0].rpartition("/")[2] in SHELLS and flags


def _shell_faults(path: Path, text: str, values: Mapping[str, Scalar]) -> Iterator[Fault]:
    for name in _names(text):
        value = text_of(values[name])
        if not _SHELL_SAFE.fullmatch(value):
            detail = f"parameter {name} is {shown(value)}, and a shell would read more into that"
            hint = f'write `env: {{VALUE: ${{{{ {name} }}}}}}` and "$VALUE" there, or a list as command'
            yield Fault(field=".".join(path), detail=detail, hint=hint)


def _undeclared(path: Path, name: str, known: Mapping[str, Parameter]) -> Fault:
    field = ".".join(path)
    near = nearest(name, known)
    detail = f"{field} names a parameter that is not declared: {shown(name)}"
    return Fault(field=field, detail=detail, hint=near or "declare it under `parameters:`")
