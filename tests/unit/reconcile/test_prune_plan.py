"""What goes, what stays, and the sentence that says why."""

from dataclasses import replace

from gigawatt.model.retention import Kind
from gigawatt.reconcile.prune_plan import Item, plan

BUNDLE = Item(kind=Kind.ARTIFACTS, id="t/b", expires_ms=0, refers=((Kind.CONTENTS, "b"),))
CONTENT = Item(kind=Kind.CONTENTS, id="b", expires_ms=0)
JOB = Item(
    kind=Kind.JOBS,
    id="job-1",
    expires_ms=0,
    refers=((Kind.ARTIFACTS, "t/b"), (Kind.CHECKPOINTS, "job-1")),
)
CHECKPOINTS = Item(kind=Kind.CHECKPOINTS, id="job-1", owner=JOB.ref)


def test_a_job_goes_first_then_what_it_owns_and_what_only_it_needed() -> None:
    planned = plan([CONTENT, CHECKPOINTS, BUNDLE, JOB], now_ms=1)
    assert [item.kind for item in planned.go] == [
        Kind.JOBS,
        Kind.ARTIFACTS,
        Kind.CHECKPOINTS,
        Kind.CONTENTS,
    ]
    assert planned.stay == ()


def test_a_job_that_is_kept_keeps_its_bundle_and_its_checkpoints() -> None:
    kept = replace(JOB, expires_ms=None)
    due = replace(CHECKPOINTS, expires_ms=0)
    planned = plan([CONTENT, due, BUNDLE, kept], now_ms=1)
    assert planned.go == ()
    assert [(each.item.kind, each.why) for each in planned.stay] == [
        (Kind.ARTIFACTS, "job job-1 needs it"),
        (Kind.CHECKPOINTS, "job job-1 needs it"),
        (Kind.CONTENTS, "artifact t/b needs it"),
        (Kind.JOBS, "its policy keeps it"),
    ]


def test_a_model_keeps_the_job_that_it_came_from_and_all_that_this_needed() -> None:
    model = Item(kind="model", id="m:1", pinned="model m:1 is there", refers=(JOB.ref,))
    planned = plan([model, JOB, BUNDLE, CONTENT, CHECKPOINTS], now_ms=1)
    assert planned.go == ()
    assert {each.item.ref: each.why for each in planned.stay} == {
        model.ref: "model m:1 is there",
        JOB.ref: "model m:1 needs it",
        BUNDLE.ref: "job job-1 needs it",
        CHECKPOINTS.ref: "job job-1 needs it",
        CONTENT.ref: "artifact t/b needs it",
    }


def test_of_what_nothing_needs_the_one_longest_unused_goes_first() -> None:
    items = [
        replace(CONTENT, id=name, used_ms=used) for name, used in (("a", 3), ("b", 1), ("c", 2))
    ]
    assert [item.id for item in plan(items, now_ms=9).go] == ["b", "c", "a"]
