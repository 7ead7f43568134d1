import pytest

from gigawatt.engine.local.machine import NodeSpec
from gigawatt.engine.local.translate import observation, parse_key, parse_progress, stage_spec
from gigawatt.engine.supervisor.spec import parse_stage, spec_json
from gigawatt.model.attempt import Progress
from gigawatt.model.endpoint import Readiness
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import AttemptKey, Launch, Placement
from gigawatt.model.resources import Resources

KEY = AttemptKey(gang="job-1", attempt=2)
NODES = [NodeSpec(id=f"node-{index}", milli_cpu=1000, memory_bytes=1 << 30) for index in (0, 1)]

LAUNCH = Launch(
    gang="job-1",
    attempt=2,
    kind=GangKind.REPLICA,
    name="n",
    tenant="t",
    project="p",
    command=("python", "train.py"),
    env=(("A", "b"),),
    placements=tuple(
        Placement(rank=rank, node=f"node-{rank // 2}", local_rank=rank % 2, gpus=(f"GPU-{rank}",))
        for rank in range(4)
    ),
    per_rank=Resources(milli_cpu=500, memory_bytes=7),
    readiness=Readiness(path="/up", interval_ms=100),
    secrets=(("GIGAWATT_TOKEN", "s3cret"),),
)


def test_a_supervisor_reads_what_the_engine_writes() -> None:
    raw = stage_spec(LAUNCH, NODES[1], template="/t")
    spec = parse_stage(raw)
    assert (spec.key, spec.nodes, spec.node_rank) == ("job-1.2", ("node-0", "node-1"), 1)
    assert (spec.world_size, [rank.rank for rank in spec.ranks]) == (4, [2, 3])
    assert spec.readiness is not None
    assert (spec.readiness.path, spec.readiness.interval_s) == ("/up", 0.1)
    assert parse_stage(spec_json(spec)) == spec


def test_a_spec_holds_no_secret() -> None:
    assert "s3cret" not in repr(stage_spec(LAUNCH, NODES[0], template=""))


def test_a_key_may_have_points_in_its_gang() -> None:
    assert parse_key("a.b.3") == AttemptKey(gang="a.b", attempt=3)
    assert parse_key(str(KEY)) == KEY


@pytest.mark.parametrize(
    ("raw", "progress"),
    [
        ({}, Progress(at_ms=9)),
        ({"at_ms": 5, "step": 3, "loss": 2}, Progress(at_ms=5, step=3, loss=2.0)),
        ({"step": True, "loss": "2", "tokens": 1.5, "metrics": []}, Progress(at_ms=9)),
        ({"loss": float("nan"), "tokens_per_s": float("inf")}, Progress(at_ms=9)),
        ({"step": 1 << 60, "loss": 10**400}, Progress(at_ms=9)),
        (
            {"metrics": {"b": 1, "a": 2.5, "c": None}},
            Progress(at_ms=9, metrics=(("a", 2.5), ("b", 1.0))),
        ),
    ],
)
def test_of_what_programs_write_only_what_makes_sense_is_taken(
    raw: dict[str, object], progress: Progress
) -> None:
    assert parse_progress(raw, at_ms=9) == progress


def test_a_checkpoint_of_no_step_is_none() -> None:
    entry = {
        "kind": "checkpoint",
        "rank": 0,
        "at_ms": 1,
        "checkpoint": {"step": 1 << 60, "path": "/c"},
    }
    assert observation(KEY, entry) is None


def test_entries_for_the_engine_alone_are_not_told() -> None:
    assert observation(KEY, {"kind": "failure", "at_ms": 1, "reason": "x", "user": True}) is None
    assert observation(KEY, {"kind": "gone", "at_ms": 1}) is None
