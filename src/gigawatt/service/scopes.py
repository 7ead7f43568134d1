"""Scopes of keys: `GROUP:read`, `GROUP:write`, `GROUP:*` or `*`, and `endpoints:invoke` for the gateway.

A group is what verbs are about. Reading is what viewers may do; all else is writing.
"""

from collections.abc import Collection, Iterable

SCOPES_MAX = 64
EVERYTHING = "*"
INVOKE = "endpoints:invoke"
FREE = "instance"  # what every caller may ask, whatever its key is for
_GROUPS = {  # of modules whose verbs are about something else than their own name
    **dict.fromkeys(
        ("asking", "checkpoints", "explain", "live", "logs", "relabelling", "results", "talks"),
        "jobs",
    ),
    **dict.fromkeys(("cards", "lineage", "promotions"), "models"),
    **dict.fromkeys(("datasets", "s3_volumes"), "volumes"),
    **dict.fromkeys(("allowances",), "quotas"),
    "arrays": "jobs",
    "fleet": "nodes",
    "members": "users",
    "uploads": "artifacts",
}
_WATCHED = {"watch.job": "jobs", "watch.array": "jobs", "watch.events": "events"}


def scope_of(verb: str, *, reads: bool) -> str:
    """What a key with scopes needs for a verb."""
    module = verb.partition(".")[0]
    group = _WATCHED.get(verb) or _GROUPS.get(module, module)
    return f"{group}:{'read' if reads else 'write'}"


def allows(scopes: Collection[str], needed: str) -> bool:
    """Whether a key with these scopes, or none for all, has `needed`. Writing includes reading."""
    group, _, what = needed.partition(":")
    if not scopes or EVERYTHING in scopes or needed in scopes or f"{group}:*" in scopes:
        return True
    return group == FREE or (what == "read" and f"{group}:write" in scopes)


def covers(scopes: Collection[str], others: Collection[str]) -> bool:
    """Whether a key with `scopes` may do all that one with `others` may."""
    if not scopes or EVERYTHING in scopes:
        return True
    return bool(others) and all(each in scopes or _covered(scopes, each) for each in others)


def known_scopes(needed: Iterable[str]) -> frozenset[str]:
    """Every scope that a key can be given, where verbs need these."""
    groups = {each.partition(":")[0] for each in needed} - {FREE}
    written = {f"{group}:{what}" for group in groups for what in ("read", "write", "*")}
    return frozenset({*written, EVERYTHING, INVOKE})


def _covered(scopes: Collection[str], scope: str) -> bool:
    group, _, what = scope.partition(":")
    return f"{group}:*" in scopes or (what == "read" and f"{group}:write" in scopes)
