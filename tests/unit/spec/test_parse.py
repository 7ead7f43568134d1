"""From JSON to jobs and endpoints, and every fault found on the way."""

import json
from typing import Any

import pytest

from gigawatt.model.checkpoint import KeepBest, KeepPolicy, MetricMode
from gigawatt.model.endpoint import Readiness
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from gigawatt.model.gang import Shape
from gigawatt.model.job import JobSpec, ModelOutput
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from gigawatt.spec.parse import endpoint_from, job_from, parse_job

DIGEST = "sha256:" + "ab" * 32


def refused(**fields: Any) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        job_from({"command": "true", **fields})
    return caught.value


def fault(**fields: Any) -> tuple[str, str]:
    """The only fault's field and detail."""
    error = refused(**fields)
    assert len(error.faults) == 1, error.faults
    return error.faults[0].field, error.faults[0].detail


def test_a_job_of_one_line_has_every_default() -> None:
    draft = job_from({"command": "python src/train.py --lr 1"})
    assert draft.environment == EnvironmentSpec(kind=EnvironmentKind.HOST)
    assert draft.spec == JobSpec(
        name="train",
        command=("sh", "-c", "python src/train.py --lr 1"),
        shape=Shape(per_node=Resources(milli_cpu=1_000)),
        environment="",
    )


WHOLE_JOB: dict[str, Any] = {
    "kind": "job",
    "name": "tiny-gpt",
    "command": ["python", "train.py"],
    "gang": {
        "nodes": {"min": 2, "max": 4},
        "ranks_per_node": 2,
        "gpus": 4,
        "gpu_kinds": ["b200", "h100"],
        "cpus": 0.5,
        "memory": "1GiB",
        "same": "rack",
    },
    "environment": {
        "kind": "uv",
        "python": "3.11",
        "requirements": ["torch==2.13.0", "  numpy  # arrays", "# no", "numpy"],
    },
    "bundle": DIGEST,
    "workdir": "src",
    "env": {"B": "2", "A": 1},
    "priority": -5,
    "timeout": "2h",
    "grace": "1m",
    "retries": {"user": 1, "infrastructure": 0},
    "after": ["prepare", "prepare", "clean"],
    "labels": {"team": "nlp"},
    "model": {"name": "tiny-gpt", "path": "final", "aliases": ["prod", "best"]},
}


def test_every_field_of_a_job_reaches_the_model() -> None:
    draft = job_from(WHOLE_JOB)
    assert draft.environment == EnvironmentSpec(
        kind=EnvironmentKind.UV, python="3.11", requirements=("numpy", "torch==2.13.0")
    )
    assert draft.spec == JobSpec(
        name="tiny-gpt",
        command=("python", "train.py"),
        shape=Shape(
            nodes_min=2,
            nodes_max=4,
            ranks_per_node=2,
            per_node=Resources(milli_gpu=4_000, milli_cpu=500, memory_bytes=1 << 30),
            gpu_kinds=("b200", "h100"),
            same="rack",
        ),
        environment="",
        bundle=DIGEST,
        workdir="src",
        env=(("A", "1"), ("B", "2")),
        priority=-5,
        timeout_s=7_200,
        grace_s=60,
        retries_user=1,
        retries_infrastructure=0,
        after=("prepare", "clean"),
        labels=(("team", "nlp"),),
        model=ModelOutput(name="tiny-gpt", path="final", aliases=("best", "prod")),
    )


def test_a_script_runs_under_bash() -> None:
    draft = job_from({"script": "set -e\necho hello\n"})
    assert draft.spec.command == ("bash", "-c", "set -e\necho hello\n")
    assert draft.spec.name == "job"


def test_an_endpoint_has_its_defaults_and_its_fields() -> None:
    draft = endpoint_from(
        {
            "kind": "endpoint",
            "name": "tiny-gpt",
            "model": "tiny-gpt@prod",
            "command": "python serve.py",
            "gang": {"cpus": 0.5, "memory": "1GiB"},
            "replicas": {"min": 0, "max": 2},
            "queue": {"max": 9, "timeout": "1m"},
            "readiness": {"path": "/ready", "timeout": "5m", "interval": "100ms"},
            "idle": "5m",
        }
    )
    spec = draft.spec
    assert (spec.model, spec.served_name, spec.priority) == ("tiny-gpt@prod", "tiny-gpt", 100)
    assert (spec.replicas_min, spec.replicas_max, spec.idle_s) == (0, 2, 300)
    assert (spec.queue_max, spec.queue_timeout_s) == (9, 60)
    assert spec.readiness == Readiness(path="/ready", timeout_s=300, interval_ms=100)


def test_an_unknown_field_is_refused_with_the_nearest_one() -> None:
    error = refused(comand="x")
    assert error.code is RefusalCode.UNKNOWN_FIELD
    assert (error.field, error.hint) == ("comand", "did you mean 'command'?")


def test_an_unknown_field_deep_down_is_compared_with_its_neighbours() -> None:
    error = refused(gang={"node": 2})
    assert (error.field, error.hint) == ("gang.node", "did you mean 'nodes'?")


def test_every_fault_is_told_at_once() -> None:
    error = refused(gang={"nodes": 0, "cpus": -1}, priority=5000, timeout="soon")
    assert [each.field for each in error.faults] == [
        "gang.nodes",
        "gang.cpus",
        "priority",
        "timeout",
    ]
    assert error.detail == "gang.nodes must be from 1 to 100000, got 0 (and 3 more)"


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"gang": {"nodes": -3}}, "gang.nodes", "must be from 1 to 100000, got -3"),
        ({"gang": {"nodes": True}}, "gang.nodes", "whole number"),
        ({"gang": {"nodes": {"min": 3, "max": 2}}}, "gang.nodes", "min of 3 above its max of 2"),
        ({"gang": {"ranks_per_node": 0}}, "gang.ranks_per_node", "at least 1, got 0"),
        ({"gang": {"cpus": 0}}, "gang.cpus", "more than 0, got 0"),
        ({"gang": {"gpus": 1.5}}, "gang.gpus", "above 1 must be whole, got 1.5"),
        ({"gang": {"gpus": 3, "ranks_per_node": 2}}, "gang.gpus", "multiple of gang.ranks_per"),
        ({"gang": {"gpu_kinds": ["b200"]}}, "gang.gpu_kinds", "gang.gpus is 0"),
        ({"gang": {"memory": "lots"}}, "gang.memory", "is not a number of bytes: 'lots'"),
        ({"gang": {"same": "rak"}}, "gang.same", "no level of the topology"),
        ({"gang": {"nodes": 100_000, "ranks_per_node": 2}}, "gang.ranks_per_node", "200000"),
        ({"gang": []}, "gang", "must be a mapping, got []"),
        ({"name": "Tiny GPT"}, "name", "is not allowed: 'Tiny GPT'"),
        ({"name": "a" * 64}, "name", "is not allowed"),
        ({"priority": 1001}, "priority", "at most 1000, got 1001"),
        ({"priority": "high"}, "priority", "whole number, got 'high'"),
        ({"env": {"1A": "x"}}, "env.1A", "is not a name for an environment variable"),
        ({"env": {"RANK": "0"}}, "env.RANK", "is set by gigawatt itself"),
        ({"env": {"GIGAWATT_JOB": "x"}}, "env.GIGAWATT_JOB", "is set by gigawatt itself"),
        ({"env": {"A": True}}, "env.A", "must be text, got True"),
        ({"env": {"A": None}}, "env.A", "must be text, got None"),
        ({"env": {"A": "x" * 70_000}}, "env", "over the limit of 65536"),
        ({"env": {"A": "a\0b"}}, "env", "NUL"),
        ({"labels": {"a b": "c"}}, "labels.a b", "is not allowed"),
        ({"labels": {"a": "x" * 256}}, "labels", "value over 255 characters"),
        ({"labels": {str(n): "" for n in range(33)}}, "labels", "at most 32 entries"),
        ({"after": "prepare"}, "after", "must be a list, got 'prepare'"),
        ({"timeout": "5 parsecs"}, "timeout", "is not a duration"),
        ({"timeout": -1}, "timeout", "at least 0, got -1"),
        ({"grace": "2h"}, "grace", "is over the limit, got '2h'"),
        ({"retries": {"user": -1}}, "retries.user", "at least 0, got -1"),
        ({"bundle": "."}, "bundle", "is not a digest: '.'"),
        ({"workdir": "../.."}, "workdir", "must not hold '..'"),
        ({"model": {"name": "m", "path": "/etc"}}, "model.path", "must be a relative path"),
        ({"model": {"name": "m"}}, "model.path", "is missing"),
        ({"environment": "doker"}, "environment.kind", "is not a kind of environment"),
        ({"environment": {"kind": "image"}}, "environment.kind", "an engine with containers"),
        ({"environment": {"kind": "conda"}}, "environment.kind", "from Python indexes here"),
        ({"environment": {"kind": "uv", "packages": ["../x"]}}, "environment.packages.0", "'..'"),
        ({"environment": {"kind": "host", "system": ["-x"]}}, "environment.system.0", "allowed"),
        ({"environment": {"kind": "uv"}}, "environment.requirements", "is missing"),
        ({"environment": {"kind": "uv", "python": 3.1}}, "environment.python", "must be text"),
        ({"command": ""}, "command", "must not be empty"),
        ({"command": []}, "command", "must not be empty"),
        ({"command": ["a", 1]}, "command.1", "must be text, got 1"),
        ({"command": "x" * 70_000}, "command", "over the limit of 65536 bytes"),
        ({"command": "a\0b"}, "command", "NUL"),
        ({"script": "x"}, "script", "exclude each other"),
    ],
)
def test_wrong_input_is_refused_where_it_is_wrong(
    fields: dict[str, Any], field: str, says: str
) -> None:
    where, detail = fault(**fields)
    assert where == field
    assert says in detail


def test_checkpoints_to_keep_reach_the_model_and_a_start_from_another_job_stays_as_written() -> (
    None
):
    best = {"metric": "acc", "mode": "max", "count": 2}
    keep = {"keep_last": 3, "keep_best": best}
    draft = job_from({"command": "x", "checkpoints": keep, "from": "pretrain@400"})
    assert draft.start_from == "pretrain@400"
    assert draft.spec.checkpoints == KeepPolicy(
        keep_last=3, keep_best=KeepBest(metric="acc", mode=MetricMode.MAX, count=2)
    )
    assert job_from({"command": "x"}).spec.checkpoints is None


@pytest.mark.parametrize(
    ("checkpoints", "field", "detail"),
    [
        ({}, "checkpoints", "checkpoints says neither keep_last nor keep_best"),
        (
            {"keep_last": 0},
            "checkpoints.keep_last",
            "checkpoints.keep_last must be at least 1, got 0",
        ),
        (
            {"keep_best": {}},
            "checkpoints.keep_best.metric",
            "checkpoints.keep_best.metric is missing",
        ),
        (
            {"keep_last": 1, "keep_worst": 1},
            "checkpoints.keep_worst",
            "checkpoints.keep_worst is not a known field",
        ),
    ],
)
def test_a_policy_that_is_wrong_is_refused(
    checkpoints: dict[str, Any], field: str, detail: str
) -> None:
    assert fault(checkpoints=checkpoints) == (field, detail)


def test_a_field_that_python_cannot_name_is_offered_as_it_is_written() -> None:
    assert refused(form="pretrain").faults[0].hint == "did you mean 'from'?"


def test_a_job_without_a_program_is_refused() -> None:
    with pytest.raises(RefusalError) as caught:
        job_from({"name": "x"})
    assert (caught.value.field, caught.value.detail) == ("command", "command is missing")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"command": NaN}'])
def test_a_body_that_is_no_job_is_refused(body: bytes) -> None:
    with pytest.raises(RefusalError) as caught:
        parse_job(body)
    assert caught.value.status == 422


def test_a_replicas_port_is_not_for_the_user_to_set() -> None:
    fields = {"name": "e", "model": "m", "command": "x", "env": {"PORT": "1"}}
    with pytest.raises(RefusalError, match=r"env\.PORT is set by gigawatt itself"):
        endpoint_from(fields)
    assert job_from({"command": "x", "env": {"PORT": "1"}}).spec.env == (("PORT", "1"),)


def test_fewer_replicas_at_most_than_at_least_are_refused() -> None:
    fields = {"name": "e", "model": "m", "command": "x", "replicas": {"min": 3, "max": 2}}
    with pytest.raises(RefusalError) as caught:
        endpoint_from(fields)
    assert caught.value.field == "replicas.min"


def test_what_was_parsed_can_be_written_and_parsed_again() -> None:
    from gigawatt.service.views.specs import endpoint_spec_fields, job_spec_fields

    job = job_from({"command": "x", "gang": {"gpus": 0.5}, "env": {"A": "1"}, "timeout": "1h"})
    assert job_from(job_spec_fields(job.spec, job.environment)) == job
    keep = {"keep_last": 2, "keep_best": {"metric": "loss"}}
    job = job_from({"command": "x", "checkpoints": keep})
    assert job_from(job_spec_fields(job.spec, job.environment)) == job
    endpoint = endpoint_from({"name": "e", "model": "m:1", "command": ["x"], "idle": 1})
    fields = endpoint_spec_fields(endpoint.spec, endpoint.environment)
    assert endpoint_from(json.loads(json.dumps(fields))) == endpoint
