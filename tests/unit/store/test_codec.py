"""JSON and back: nothing of a value is lost, whatever its fields hold."""

import json
import types
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.model.change import Entity
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.job import Job
from gigawatt.model.tenant import Tenant
from gigawatt.store.codec import KINDS, decode, encode


def any_value(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, defaults ignored: every field of every nested value is drawn."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {types.UnionType, Union}:
        return st.one_of(*(any_value(each) for each in arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(any_value(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(any_value(each) for each in arguments))
    if is_dataclass(hint):
        return any_instance(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(1 << 63), (1 << 63) - 1),
        float: st.floats(),
        str: st.text(max_size=8),
        bool: st.booleans(),
        types.NoneType: st.none(),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    }
    return plain[hint]


@cache
def any_instance(kind: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: any_value(hints[field.name]) for field in fields(kind)})


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_value_of_every_kind_comes_back_exactly(name: str) -> None:
    kind: Any = KINDS[name]

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(any_instance(kind))
    def comes_back(value: Entity) -> None:
        # By repr, which tells NaN from NaN not, and 1 from 1.0 and from True, but -0.0 from 0.0.
        assert repr(decode(kind, encode(value))) == repr(value)

    comes_back()


def test_fields_with_defaults_are_written_so_that_a_default_may_change() -> None:
    written = json.loads(encode(Tenant(id="acme", created_ms=1)))
    assert set(written) == {"id", "created_ms", "version", "entitlement", "isolation"}
    assert (written["version"], written["entitlement"]["weight"]) == (1, 1)


def test_fields_of_a_newer_program_are_dropped_and_missing_ones_get_their_default() -> None:
    body = '{"id": "acme", "created_ms": 1, "colour": "red"}'
    assert decode(Tenant, body) == Tenant(id="acme", created_ms=1)


def test_the_kinds_are_all_entities_by_the_name_of_their_class() -> None:
    assert set(KINDS.values()) == set(get_args(Entity))
    assert all(kind.__name__ == name for name, kind in KINDS.items())


def test_a_job_from_before_all_checkpoints_were_on_record_still_resumes_from_its_newest() -> None:
    old = {
        "id": "job-1",
        "tenant": "t",
        "project": "p",
        "spec": {
            "name": "job",
            "command": ["true"],
            "shape": {"per_node": {"milli_cpu": 100}},
            "environment": "host",
        },
        "phase": "failed",
        "created_ms": 1,
        "queued_ms": 1,
        "submitted_by": "me",
        "checkpoint": {"step": 7, "path": "/c/step-7", "at_ms": 5},
    }
    job = decode(Job, json.dumps(old))
    assert job.history == (Checkpoint(step=7, path="/c/step-7", at_ms=5),)
    assert job.spec.checkpoints is None
    assert job.spec.origin is None
