"""One job of a workload: when it comes, what it asks for, and what only the twin knows: how long it really runs."""

from dataclasses import dataclass

from gigawatt.model.gang import Shape
from gigawatt.model.job import JobSpec
from gigawatt.model.tenant import DEFAULT_PROJECT

START_MS = 86_400_000  # virtual time starts here; 0 means never in the model
COMMAND = ("true",)  # nothing runs it


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`at_ms` and `run_ms` are virtual: since the workload's start, and from the start of its ranks to their end."""

    at_ms: int
    run_ms: int
    shape: Shape
    limit_ms: int = 0  # what its owner asked for, which is all that a policy may know; 0 is none
    project: str = DEFAULT_PROJECT
    user: str = ""  # who submits it; empty where that is not known

    def spec(self, name: str) -> JobSpec:
        """What is submitted. A job that ran past its limit is given what it took: the trace's site let it."""
        limit_ms = max(self.limit_ms, self.run_ms) if self.limit_ms else 0
        return JobSpec(
            name=name,
            command=COMMAND,
            shape=self.shape,
            environment="host",
            timeout_s=-(-limit_ms // 1000),
            retries_infrastructure=RETRIES,
        )


RETRIES = 1_000_000  # what a node's failure interrupts is run again until it is done
