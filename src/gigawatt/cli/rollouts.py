"""What a terminal is shown of rollouts: the one under way, revisions there were, and what a change would do."""

import json
from typing import TYPE_CHECKING

from gigawatt.cli import format as form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.endpoint_views import (
        EndpointDryRunView,
        FieldChangeView,
        RevisionView,
        RolloutView,
        SeenView,
    )

VALUE_CHARS_MAX = 60
CHANGES = {
    "create": "a new endpoint",
    "none": "nothing",
    "in_place": "changed in place; replicas stay as they are",
    "replace": "replicas are replaced: none has served yet",
    "rollout": "a new revision beside the old one",
}


def rollout_fields(rollout: "RolloutView", now_ms: int) -> list[tuple[str, str]]:
    """The one that is under way."""
    following = rollout["next_weight"]
    then = f", then {following} %" if following else ", the old one is kept"
    return [
        ("revision", f"{rollout['revision']} beside {rollout['before']}, {rollout['strategy']}"),
        ("weight", f"{rollout['weight']} % of the requests{then}"),
        ("paused", "yes" if rollout["paused"] else ""),
        ("in turn", "old replicas make room" if rollout["in_turn"] else ""),
        ("why", rollout["why"]),
        ("new", _seen(rollout["new"])),
        ("old", _seen(rollout["old"])),
        ("by", f"{rollout['by']}, {form.age(rollout['began_ms'], now_ms)} ago"),
    ]


def show_revisions(revisions: "Sequence[RevisionView]", now_ms: int) -> None:
    """A line for each."""
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="REVISION", right=True, style="bold"),
        Column(name="PHASE", phase=True),
        Column(name="CURRENT"),
        Column(name="MODEL"),
        Column(name="BY"),
        Column(name="AGE", right=True),
        Column(name="MESSAGE", wraps=True),
    ]
    rows = [
        [
            str(each["number"]),
            each["phase"],
            "yes" if each["current"] else "",
            each["model"],
            each["created_by"],
            form.age(each["created_ms"], now_ms),
            each["message"],
        ]
        for each in revisions
    ]
    show_table(columns, rows)


def show_change(view: "EndpointDryRunView") -> None:
    """What serving it would change."""
    from gigawatt.cli.style import Column, show_fields, show_heading, show_table

    show_fields(
        [
            ("change", CHANGES[view["change"]]),
            ("revision", str(view["revision"])),
            ("replicas", f"{view['replicas']} now, {view['new_replicas']} new ones first"),
            ("GPUs", f"{view['gpus']:g} now, {view['gpus_most']:g} at most while both are there"),
        ]
    )
    if view["changes"]:
        show_heading("fields")
        columns = [Column(name="FIELD"), Column(name="BEFORE"), Column(name="AFTER")]
        show_table(columns, [_change(each) for each in view["changes"]])


def _seen(seen: "SeenView") -> str:
    p99 = f", p99 {seen['p99_ms']} ms" if seen["p99_ms"] is not None else ""
    return f"{form.count(seen['requests'])} requests, {form.count(seen['errors'])} errors{p99}"


def _change(change: "FieldChangeView") -> list[str]:
    return [change["field"], _value(change["before"]), _value(change["after"])]


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 1]}…"
