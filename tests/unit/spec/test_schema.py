"""The schemas that editors and the reference use."""

from typing import Any

import pytest
from jsonschema_rs import validator_for

from gigawatt.spec.schema import schema_of

GOOD: dict[str, dict[str, Any]] = {
    "job": {"command": "x", "gang": {"nodes": {"max": 2}, "memory": "1GiB"}, "timeout": "2h"},
    "endpoint": {"name": "e", "model": "m", "command": ["x"], "environment": "host"},
    "environment": {"kind": "uv", "python": "3.11", "requirements": ["six"]},
}


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_schema_accepts_what_the_parser_accepts(kind: str) -> None:
    assert validator_for(schema_of(kind)).is_valid(GOOD[kind])


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_schema_refuses_unknown_fields(kind: str) -> None:
    assert not validator_for(schema_of(kind)).is_valid({**GOOD[kind], "nmae": "x"})


def test_a_schema_says_what_each_field_may_be() -> None:
    properties = schema_of("job")["properties"]
    assert properties["priority"]["minimum"] == -1_000
    assert {"type": "string", "minLength": 1} in properties["command"]["anyOf"][0]["anyOf"]
