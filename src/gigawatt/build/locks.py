"""What a lock says, and how two of them differ. Pure text."""

import re
from dataclasses import dataclass

from gigawatt.build.environment_spec import HASH, is_option, lock_lines

PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(===?\s*(?P<version>[^\s;]+)|@\s*(?P<url>\S+))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package at a version; at an address where it has no version."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDiff:
    """What the second of two locks has more, less and otherwise, each by name."""

    added: tuple[Pin, ...]
    removed: tuple[Pin, ...]
    changed: tuple[Change, ...]
    same: int


def pins(lock: str) -> tuple[Pin, ...]:
    """The packages of a lock, by name; names as PyPI normalises them."""
    found: dict[str, Pin] = {}
    for line in lock_lines(lock):
        match = PIN.match(HASH.sub("", line).strip())
        if match is None or is_option(line):
            continue
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        found[name] = Pin(name=name, version=match["version"] or match["url"])
    return tuple(found[name] for name in sorted(found))


def diff_locks(before: str, after: str) -> LockDiff:
    """From `before` to `after`."""
    old = {pin.name: pin for pin in pins(before)}
    new = {pin.name: pin for pin in pins(after)}
    both = sorted(old.keys() & new.keys())
    changed = tuple(
        Change(name=name, before=old[name].version, after=new[name].version)
        for name in both
        if old[name] != new[name]
    )
    return LockDiff(
        added=tuple(new[name] for name in sorted(new.keys() - old.keys())),
        removed=tuple(old[name] for name in sorted(old.keys() - new.keys())),
        changed=changed,
        same=len(both) - len(changed),
    )
