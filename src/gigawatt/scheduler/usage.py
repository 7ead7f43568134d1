"""Who has used how much: what the world says of tenants, projects and their live gangs, as numbers.

The average of what a project has used forgets by half-lives: it is the integral of use(s) * 2 ** (-(t - s) / half) over
the past, divided by that of the constant 1, so it is an amount like use itself. While use is constant it moves from
the old average towards that use (Kay and Lauder, "A Fair Share Scheduler", CACM 31(1), 1988).
"""

from dataclasses import dataclass

from gigawatt.model.quota import NO_ENTITLEMENT, Entitlement, ProjectUse
from gigawatt.model.resources import KINDS, Resources
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.work import Work
from gigawatt.scheduler.facts import Footprint

Vector = tuple[int, ...]

NOTHING: Vector = (0,) * len(KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one tenant or project; `parent` is the name of the row above, empty for a tenant."""

    parent: str
    entitlement: Entitlement = NO_ENTITLEMENT
    used: Vector = NOTHING
    use: ProjectUse | None = None

    def numbers(self) -> tuple[Vector | int, ...]:
        """The columns of `snapshot.SHARE_NUMBERS`, in their order."""
        terms, use = self.entitlement, self.use
        return (
            terms.quota.vector(),
            terms.limit.vector(),
            terms.weight,
            terms.borrows,
            terms != NO_ENTITLEMENT,
            self.used,
            NOTHING if use is None else use.average.vector(),
            NOTHING if use is None else use.used.vector(),
            0 if use is None else use.at_ms,
        )


def owner_of(work: Work) -> str:
    """The row of the project that the work is of."""
    return f"{work.tenant}/{work.project}"


def standing_of(entity: Tenant | Project) -> Standing:
    """A tenant's or a project's, without what it uses."""
    parent = ""
    if isinstance(entity, Project):
        above = entity.entitlement.parent
        parent = f"{entity.tenant}/{above}" if above else entity.tenant
    return Standing(parent=parent, entitlement=entity.entitlement)


def unknown(id: str) -> Standing:
    """Of a project that has gangs, and that nobody has made."""
    return Standing(parent=id.partition("/")[0])


def amounts_of(footprint: Footprint | None) -> Vector:
    """All that an attempt has, over its nodes."""
    if footprint is None:
        return NOTHING
    count = sum(footprint.places.values()) or len(footprint.nodes)
    each = footprint.per_node
    return each.milli_gpu * count, each.milli_cpu * count, each.memory_bytes * count


def brought_up(use: ProjectUse, *, now_ms: int, half_life_ms: int) -> Resources:
    """The average up to now."""
    keeps = 2.0 ** (-max(now_ms - use.at_ms, 0) / half_life_ms)
    pairs = zip(use.average.vector(), use.used.vector(), strict=True)
    gpu, cpu, memory = (round(old * keeps + new * (1.0 - keeps)) for old, new in pairs)
    return Resources(milli_gpu=gpu, milli_cpu=cpu, memory_bytes=memory)
