"""What an attempt resumes from: the newest of its job's checkpoints that still is what was reported."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from gigawatt.model.checkpoint import Candidate, Finding
from gigawatt.model.launch import Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """`launch` names what was chosen, if anything; `findings` has what was looked at."""

    launch: Launch
    findings: tuple[Finding, ...]

    @property
    def missing(self) -> bool:
        """It has to resume from something, and there is nothing left to resume from."""
        return self.launch.resume_must and not self.launch.resume_path


async def choose(launch: Launch, check: Callable[[Candidate], Awaitable[Finding]]) -> Resume:
    """Look at the candidates, newest first, until all parts of one step are valid."""
    findings: list[Finding] = []
    for step in _steps(launch.resume):
        found = [await check(part) for part in step]
        findings += found
        if not any(finding.fault for finding in found):
            first = min(step, key=lambda part: part.checkpoint.rank).checkpoint
            named = replace(launch, resume_step=first.step, resume_path=first.path)
            return Resume(launch=named, findings=tuple(findings))
    return Resume(launch=launch, findings=tuple(findings))


def _steps(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Candidates of one job, attempt and step together, in the order of the first of each."""
    steps: dict[tuple[str, int, int], list[Candidate]] = {}
    for each in candidates:
        checkpoint = each.checkpoint
        steps.setdefault((each.within, checkpoint.attempt, checkpoint.step), []).append(each)
    return list(steps.values())
