"""A question, from its JSON to a shape."""

import json
from typing import Any

import pytest

from gigawatt.model.gang import Shape
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.spec.asking import Question, parse_question


def parsed(**body: Any) -> Question:
    return parse_question(json.dumps(body))


def test_amounts_are_read_as_in_a_job_file() -> None:
    gang = {"nodes": {"min": 4, "max": 16}, "gpus": 8, "gpu_kinds": ["b200"], "memory": "1GiB"}
    per_node = Resources(milli_gpu=8_000, milli_cpu=1_000, memory_bytes=1 << 30)
    shape = Shape(nodes_min=4, nodes_max=16, per_node=per_node, gpu_kinds=("b200",))
    assert parsed(gang=gang, priority=5, timeout="6h") == Question(
        shape=shape, priority=5, timeout_s=21_600
    )


def test_a_question_about_nothing_is_one_core() -> None:
    one = Resources(milli_gpu=0, milli_cpu=1_000, memory_bytes=0)
    assert parsed() == Question(shape=Shape(per_node=one))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"gang": {"gpu_kinds": ["b200"]}}, "gang.gpu_kinds"),
        ({"gang": {"nodes": -1}}, "gang.nodes"),
        ({"gang": {"same": "shelf"}}, "gang.same"),
        ({"timeout": "soon"}, "timeout"),
        ({"priority": 1_001}, "priority"),
        ({"command": "true"}, "command"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(RefusalError) as refused:
        parsed(**body)
    assert refused.value.field == field
