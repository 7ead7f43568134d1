"""What projects use against what they may, in books of their own: from what each cycle commits, and from nothing else."""

from collections import Counter
from collections.abc import Iterator

from gigawatt.control.cycle import Outcome
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job
from gigawatt.model.node import Node
from gigawatt.model.quota import UNSET
from gigawatt.model.resources import KINDS
from gigawatt.model.tenant import Project

Use = tuple[str, str, Counter[int | str]]  # tenant, project, amounts


class Limits:
    """Tell it of every outcome. What was lowered below what is used says nothing until more is started."""

    def __init__(self) -> None:
        self._projects: dict[tuple[str, str], Project] = {}
        self._held: dict[str, Use] = {}  # by gang
        self._used: Counter[tuple[str, str, int | str]] = (
            Counter()
        )  # by kind of resource, or of GPU
        self._kinds: dict[str, str] = {}  # of GPU, by node

    def check(self, outcome: Outcome) -> list[str]:
        """What is wrong."""
        faults: list[str] = []
        grown: dict[tuple[str, str], None] = {}
        for put in outcome.batch.puts:
            if isinstance(put, Project):
                self._projects[put.tenant, put.name] = put
            elif isinstance(put, Node):
                self._kinds[put.id] = put.gpu_kind
            elif isinstance(put, Job | Replica) and self._moved(put):
                grown[put.tenant, put.project] = None
        for tenant, name in grown:
            for project in self._chain(tenant, name):
                faults += self._over(project)
        return faults

    def _moved(self, job: Job | Replica) -> bool:
        """Take what it holds now; whether that is more than it held."""
        old = self._held.pop(job.id, None)
        if old is not None:
            self._add(old, -1)
        attempt = job.attempt
        if attempt is None or not attempt.live:
            return False
        count = sum(attempt.places) or len(attempt.held)
        shape = shape_of(job)
        amounts: Counter[int | str] = Counter(dict(enumerate(shape.per_node.times(count).vector())))
        for node, places in zip(attempt.held, attempt.places or (1,) * count, strict=False):
            amounts[self._kinds.get(node, "")] += shape.per_node.milli_gpu * places
        now = job.tenant, job.project, amounts
        self._held[job.id] = now
        self._add(now, 1)
        return old is None

    def _add(self, use: Use, sign: int) -> None:
        tenant, name, amounts = use
        for project in self._chain(tenant, name):
            for kind, amount in amounts.items():
                self._used[tenant, project.name, kind] += sign * amount

    def _chain(self, tenant: str, name: str) -> Iterator[Project]:
        """The project, and all that it is part of. The tree of a run does not change."""
        project = self._projects.get((tenant, name))
        while project is not None:
            yield project
            project = self._projects.get((tenant, project.entitlement.parent))

    def _over(self, project: Project) -> Iterator[str]:
        terms = project.entitlement
        bounds = [terms.limit] + ([] if terms.borrows else [terms.quota])
        for bound in bounds:
            told = [*zip(KINDS, enumerate(bound.vector()), strict=True)]
            told += [(f"milli-GPUs of {kind}", (kind, most)) for kind, most in bound.kinds]
            for name, (kind, most) in told:
                used = self._used[project.tenant, project.name, kind]
                if most != UNSET and used > most:
                    yield f"{project.id} may use {most} {name} and uses {used}"


def shape_of(work: Job | Replica) -> Shape:
    """What its gang asks for."""
    return work.spec.shape if isinstance(work, Job) else work.shape
