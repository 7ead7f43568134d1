"""Limits on what no node has: replicas of endpoints, and bytes that are kept. A project's hold for all below it too.

A limit that is lowered stops and deletes nothing: it only lets nothing more come.
"""

from collections.abc import Iterator

from gigawatt.model.artifact import Artifact
from gigawatt.model.command import PutEndpoint
from gigawatt.model.endpoint import Endpoint
from gigawatt.model.observation import LimitsSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import KINDS
from gigawatt.model.tenant import Project
from gigawatt.model.values import replace
from gigawatt.reconcile.projects import project_id
from gigawatt.reconcile.storage import shown
from gigawatt.reconcile.turn import Turn

THRESHOLDS = (80, 100)  # percent, at which it is told
ROOM_AGAIN = 10  # percent below the lowest of them, before it is told again
AGAIN_MS = 10_000  # until an endpoint that may have no more replicas looks again
APART = frozenset({"tree", "listing"})  # whose files have records of their own


def replicas_allowed(
    turn: Turn, endpoint: Endpoint, *, wanted: int, current: int
) -> tuple[Endpoint, int]:
    """How many replicas an endpoint may have: never fewer than it has for a limit's sake. It says so, and looks again."""
    if wanted <= current:
        return endpoint, wanted
    asked = wanted
    for project in above(turn, endpoint.tenant, endpoint.project):
        limit = project.entitlement.caps.replicas
        if limit is None:
            continue
        room = limit - replicas_of(turn, project, but=endpoint.id)
        if room < wanted:
            wanted = max(room, current)
            why = f"project {project.name} may have {limit} replicas"
            endpoint = endpoint if endpoint.why == why else turn.touch(replace(endpoint, why=why))
    if wanted < asked:
        turn.due(turn.now_ms + AGAIN_MS, endpoint.id)
    return endpoint, wanted


def check_replicas(turn: Turn, command: PutEndpoint, before: Endpoint | None) -> None:
    """Refuse an endpoint whose least number of replicas is more than there is room for."""
    least = command.spec.replicas_min
    had = before.spec.replicas_min if before else 0
    if least <= had:
        return
    for project in above(turn, command.tenant, command.project):
        limit = project.entitlement.caps.replicas
        if limit is None:
            continue
        others = replicas_of(turn, project, but=before.id if before else "")
        if others + least > limit:
            raise RefusalError(
                RefusalCode.LIMIT,
                f"project {project.name} may have {limit} replicas; other endpoints have {others}, "
                f"and this one asks for at least {least}",
                field="replicas.min",
                hint="ask for fewer, or have the limit raised: gw quota set --max-replicas N",
            )


def check_storage(turn: Turn, artifact: Artifact) -> None:
    """Refuse bytes for which a project has no room, and count those that it has room for until the next look."""
    more = 0 if artifact.kind in APART else artifact.size_bytes
    projects = list(above(turn, artifact.tenant, artifact.project))
    for project in projects:
        limit = project.entitlement.caps.storage_bytes
        if limit is None:
            continue
        kept = kept_by(turn, project)
        if kept + more > limit:
            raise RefusalError(
                RefusalCode.LIMIT,
                f"project {project.name} keeps {shown(kept)}, this adds {shown(more)}, and it may "
                f"keep {shown(limit)}",
                field="quota",
                hint="gw quota limits shows what is kept; an administrator raises it: "
                "gw quota set --max-storage SIZE",
            )
    if projects:
        kept_bytes = turn.world.kept_bytes
        kept_bytes[projects[0].id] = kept_bytes.get(projects[0].id, 0) + more


def seen(turn: Turn, observed: LimitsSeen) -> None:
    """What is kept and used by now; past a threshold of a limit it is told, once."""
    turn.world.kept_bytes = dict(observed.kept)
    used = dict(observed.used)
    for project in tuple(turn.world.projects.values()):
        for what, amount, limit in _limited(turn, project, used.get(project.id, ())):
            _judge(turn, project, what, 100 * amount // limit if limit else 100)


def forget(turn: Turn, project: Project) -> None:
    """Its limits are others now: what was told of those before is told anew."""
    told = turn.world.limits_told
    for key in [each for each in told if each.startswith(f"{project.id} ")]:
        del told[key]


def above(turn: Turn, tenant: str, name: str) -> Iterator[Project]:
    """A project, and those that it is part of."""
    while name:
        project = turn.world.projects.get(project_id(tenant, name))
        if project is None:
            return
        yield project
        name = project.entitlement.parent


def replicas_of(turn: Turn, project: Project, *, but: str = "") -> int:
    """How many replicas a project has with those below it, without those of one endpoint."""
    names = _below(turn, project)
    return sum(
        1
        for each in turn.world.replicas.values()
        if each.tenant == project.tenant
        and each.project in names
        and not each.stopping
        and each.endpoint != but
    )


def kept_by(turn: Turn, project: Project) -> int:
    """How many bytes a project keeps with those below it, as last seen."""
    kept = turn.world.kept_bytes
    return sum(kept.get(project_id(project.tenant, name), 0) for name in _below(turn, project))


def _limited(turn: Turn, project: Project, used: tuple[int, ...]) -> Iterator[tuple[str, int, int]]:
    """What it has limits of: the name, how much it uses, and the limit."""
    terms = project.entitlement
    for kind, amount, limit in zip(KINDS, used, terms.limit.vector(), strict=False):
        if limit >= 0:
            yield kind, amount, limit
    if terms.caps.replicas is not None:
        yield "replicas", replicas_of(turn, project), terms.caps.replicas
    if terms.caps.storage_bytes is not None:
        yield "storage", kept_by(turn, project), terms.caps.storage_bytes


def _judge(turn: Turn, project: Project, what: str, percent: int) -> None:
    told = turn.world.limits_told
    key = f"{project.id} {what}"
    reached = max((each for each in THRESHOLDS if each <= percent), default=0)
    if reached > told.get(key, 0):
        told[key] = reached
        data = (("limit", what), ("percent", str(percent)))
        if reached < THRESHOLDS[-1]:
            turn.emit("project.limit_near", project, f"{percent} % of its limit of {what}", data)
        else:
            message = f"{percent} % of its limit of {what}: {_THEN.get(what, _WAITS)}"
            turn.emit("project.limit_reached", project, message, data)
    elif percent < THRESHOLDS[0] - ROOM_AGAIN:
        told.pop(key, None)


_WAITS = "new work waits"
_THEN = {"replicas": "endpoints get no more", "storage": "nothing more is stored"}


def _below(turn: Turn, project: Project) -> set[str]:
    """Its name, and those of the projects that are part of it at any depth."""
    children: dict[str, list[str]] = {}
    for each in turn.world.projects.values():
        if each.tenant == project.tenant and each.entitlement.parent:
            children.setdefault(each.entitlement.parent, []).append(each.name)
    names, level = {project.name}, [project.name]
    while level:
        level = [child for name in level for child in children.get(name, ())]
        names.update(level)
    return names
