"""Parameters of job files: declared, given values, placed where they belong, and nowhere else."""

from typing import Any

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.spec.documents import read_documents
from gigawatt.spec.parameters import declared
from gigawatt.spec.parse import job_from
from gigawatt.spec.placeholders import checked, filled

FILE = """
name: train-${{ optimizer }}
parameters:
  lr: {type: number, default: 0.001, min: 0, max: 1, description: how fast it learns}
  nodes: {type: integer, min: 1, max: 4}
  optimizer: {choices: [adamw, sgd], default: adamw}
  debug: false
command: [python, train.py, --lr, "${{ lr }}", "--opt=${{optimizer}}"]
gang: {nodes: "${{ nodes }}", cpus: 0.5}
env: {DEBUG: "${{ debug }}", LITERAL: "$${{ lr }}"}
"""


def data(text: str = FILE) -> dict[str, Any]:
    return read_documents(text, "job.yaml")[0].data


def faults(text: str, **given: object) -> list[tuple[str, str, str]]:
    with pytest.raises(RefusalError) as caught:
        filled(data(text), given)
    return [(each.field, each.detail, each.hint) for each in caught.value.faults]


def test_values_are_placed_with_their_types_and_written_out_within_text() -> None:
    found = filled(data(), {"nodes": "2", "lr": "0.1"})
    assert found.values == {"lr": 0.1, "nodes": 2, "optimizer": "adamw", "debug": False}
    assert found.data == {
        "name": "train-adamw",
        "command": ["python", "train.py", "--lr", "0.1", "--opt=adamw"],
        "gang": {"nodes": 2, "cpus": 0.5},
        "env": {"DEBUG": "false", "LITERAL": "${{ lr }}"},
    }
    assert job_from(found.data).spec.shape.nodes_max == 2


def test_a_value_is_never_read_as_yaml_or_as_another_placeholder() -> None:
    text = 'parameters: {x: ""}\ncommand: [echo, "${{ x }}"]\nworkdir: ${{ x }}\n'
    for value in ("{a: 1}", "*anchor", "!!python/object:os.system", "${{ x }}", "a: b\nc: d"):
        found = filled(data(text), {"x": value})
        assert found.data == {"command": ["echo", value], "workdir": value}


def test_what_is_given_wrong_is_told_with_what_is_allowed() -> None:
    assert faults(FILE, lr="2", nodes="two", optimizer="adam", debug="yes") == [
        ("parameters.lr", "parameter lr is 2; allowed: 0 to 1", ""),
        ("parameters.nodes", "parameter nodes must be a whole number, got 'two'", ""),
        (
            "parameters.optimizer",
            "parameter optimizer is 'adam'; allowed: adamw, sgd",
            "did you mean 'adamw'?",
        ),
        ("parameters.debug", "parameter debug must be true or false, got 'yes'", ""),
    ]
    assert faults(FILE, nodes=1, learning=1, lrr=1) == [
        (
            "parameters.learning",
            "parameter learning is not declared",
            "allowed: debug, lr, nodes, optimizer",
        ),
        ("parameters.lrr", "parameter lrr is not declared", "did you mean 'lr'?"),
    ]
    assert faults(FILE) == [
        (
            "parameters.nodes",
            "parameter nodes must be given: it has no default",
            "-p nodes=…  (allowed: 1 to 4)",
        )
    ]


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "0x10", "1_0", "", " "])
def test_a_number_is_finite_and_written_plainly(value: str) -> None:
    assert faults(FILE, nodes=1, lr=value)


@pytest.mark.parametrize(
    "value", ["$(touch x)", "a b", "`id`", "a;b", "a'b", 'a"b', "$HOME", "a\nb", "*", "~", "a&b"]
)
@pytest.mark.parametrize(
    "command",
    [
        "command: echo ${{ x }}",
        'script: |\n  echo "${{ x }}"',
        'command: [bash, -lc, "echo ${{ x }}"]',
    ],
)
def test_a_shell_is_given_no_value_that_it_would_read_more_into(command: str, value: str) -> None:
    text = f"parameters:\n  x: {{type: string}}\n{command}\n"
    ((field, detail, hint),) = faults(text, x=value)
    assert field.startswith(("command", "script"))
    assert "a shell would read more into that" in detail
    assert "env:" in hint
    filled(data(text), {"x": "s3://bucket/a-b_c.d,e=f%20:1@x+y"})


def test_a_placeholder_must_be_declared_and_a_parameter_used() -> None:
    text = "parameters: {lr: 0.1, unused: 1}\ncommand: [a, '${{ lrr }}', '${{ lr }}']\n"
    assert faults(text) == [
        (
            "command.1",
            "command.1 names a parameter that is not declared: 'lrr'",
            "did you mean 'lr'?",
        ),
        (
            "parameters.unused",
            "parameter unused is declared and never used",
            "write ${{ unused }} where its value belongs",
        ),
    ]
    open_end = "parameters: {lr: 0.1}\ncommand: [a, '${{ lr', '${{ lr }}']\n"
    assert faults(open_end)[0][1] == "command.1 has a placeholder without an end: '${{ lr'"
    as_key = "parameters: {lr: 0.1}\ncommand: [a, '${{ lr }}']\nenv: {'${{ lr }}': x}\n"
    assert "is a key, and keys take no parameters" in faults(as_key)[0][1]


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("{type: float}", "parameters.x.type must be 'string', 'integer', 'number' or 'boolean'"),
        ("{typ: integer}", "parameters.x.typ is not a known field"),
        ("{type: integer, default: 1.5}", "parameter x must be a whole number, got 1.5"),
        ("{type: string, min: 1}", "parameter x has a min or max, which a string cannot have"),
        ("{min: 3, max: 1, default: 2}", "parameter x has a min of 3 above its max of 1"),
        ("{choices: [1, 2], default: 3}", "parameter x is 3; allowed: 1, 2"),
        ("[1]", "parameters.x.default must be"),
    ],
)
def test_what_is_declared_wrong_is_told(written: str, detail: str) -> None:
    with pytest.raises(RefusalError) as caught:
        declared(data(f"parameters:\n  x: {written}\ncommand: [a]\n"))
    assert caught.value.detail.startswith(detail)


def test_names_of_parameters_are_plain() -> None:
    with pytest.raises(RefusalError, match="is not a name for a parameter"):
        declared({"parameters": {"a b": 1}})
    with pytest.raises(RefusalError, match="must be a mapping"):
        declared({"parameters": ["a"]})
    assert checked({"command": ["a"]}) == {}
