"""What a launch resumes from: the newest step of which every part is valid."""

import asyncio

from gigawatt.control.resume import choose
from gigawatt.model.checkpoint import Candidate, Checkpoint, Finding
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import Launch
from gigawatt.model.resources import Resources


def a_part(step: int, rank: int = 0, attempt: int = 1, within: str = "/w") -> Candidate:
    path = f"{within}/{attempt}/{step}/{rank}"
    checkpoint = Checkpoint(step=step, path=path, at_ms=step, rank=rank, attempt=attempt)
    return Candidate(checkpoint=checkpoint, within=within)


def chosen(*candidates: Candidate, broken: tuple[str, ...] = (), must: bool = False) -> Launch:
    return asyncio.run(_chosen(candidates, broken, must=must))[0]


async def _chosen(
    candidates: tuple[Candidate, ...], broken: tuple[str, ...], *, must: bool = False
) -> tuple[Launch, tuple[Finding, ...], bool]:
    launch = Launch(
        gang="job-1",
        attempt=2,
        kind=GangKind.JOB,
        name="job",
        tenant="t",
        project="p",
        command=("true",),
        env=(),
        placements=(),
        per_rank=Resources(),
        resume=candidates,
        resume_must=must,
    )

    async def check(candidate: Candidate) -> Finding:
        path = candidate.checkpoint.path
        return Finding(path=path, fault="broken" if path in broken else "")

    found = await choose(launch, check)
    return found.launch, found.findings, found.missing


def test_the_newest_valid_one_is_named() -> None:
    named = chosen(a_part(3), a_part(2), a_part(1), broken=("/w/1/3/0",))
    assert (named.resume_step, named.resume_path) == (2, "/w/1/2/0")


def test_older_ones_than_the_chosen_one_are_not_looked_at() -> None:
    _, findings, missing = asyncio.run(_chosen((a_part(2), a_part(1)), ()))
    assert findings == (Finding(path="/w/1/2/0"),)
    assert not missing


def test_a_step_with_one_broken_part_is_passed_over_whole() -> None:
    parts = (a_part(2, 1), a_part(2, 0), a_part(1, 1), a_part(1, 0))
    named = chosen(*parts, broken=("/w/1/2/1",))
    assert (named.resume_step, named.resume_path) == (1, "/w/1/1/0")


def test_the_same_step_of_another_attempt_is_another_step() -> None:
    named = chosen(a_part(2, attempt=2), a_part(2, attempt=1), broken=("/w/2/2/0",))
    assert named.resume_path == "/w/1/2/0"


def test_with_none_valid_nothing_is_named_and_a_job_that_must_resume_is_told_apart() -> None:
    for must in (False, True):
        named, _, missing = asyncio.run(_chosen((a_part(1),), ("/w/1/1/0",), must=must))
        assert (named.resume_step, named.resume_path, missing) == (None, "", must)
