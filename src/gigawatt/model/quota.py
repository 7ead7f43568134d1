"""What a tenant or a project may use: what is guaranteed, at most, and its part of what is left."""

from dataclasses import dataclass

from gigawatt.model.resources import Resources

UNSET = -1  # in vectors of bounds, where nothing is said
WEIGHT_MAX = 1_000_000
DEPTH_MAX = 16  # of projects below each other, the tenant not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Amounts of some kinds of resource; None where nothing is said."""

    milli_gpu: int | None = None
    milli_cpu: int | None = None
    memory_bytes: int | None = None
    kinds: tuple[tuple[str, int], ...] = ()  # milli-GPUs of single kinds of GPU, sorted by these

    def vector(self) -> tuple[int, int, int]:
        """The amounts in the order of `KINDS`, UNSET for None."""
        gpu, cpu, memory = (
            UNSET if amount is None else amount
            for amount in (self.milli_gpu, self.milli_cpu, self.memory_bytes)
        )
        return gpu, cpu, memory


NO_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """At most so many replicas, and so many bytes that are kept. None is without a limit."""

    replicas: int | None = None
    storage_bytes: int | None = None


NO_CAPS = Caps()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """Of a project with all projects below it, or of a tenant with all of its projects."""

    parent: str = ""  # the name of the project that it is part of; empty: its tenant
    quota: Bounds = NO_BOUNDS  # guaranteed
    limit: Bounds = NO_BOUNDS  # at most
    borrows: bool = True  # whether it may use more than its quota while others leave it
    weight: int = 1  # its part of what is beyond quotas, against its siblings
    caps: Caps = NO_CAPS


NO_ENTITLEMENT = Entitlement()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUse:
    """What a project's own gangs have used: `used` since `at_ms`, and what that was on average before.

    Older use counts less: half for every half-life (`scheduler.usage`). It is kept while anything shares by it.
    """

    id: str  # of the project
    tenant: str
    project: str
    at_ms: int
    used: Resources
    average: Resources
    version: int = 1
