"""What projects are entitled to: quota, limit, weight, and whom they are part of."""

from gigawatt.model.command import CreateProject, SetEntitlement
from gigawatt.model.quota import DEPTH_MAX, UNSET, WEIGHT_MAX, Entitlement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import KINDS
from gigawatt.model.tenant import Project
from gigawatt.model.values import replace
from gigawatt.reconcile import caps
from gigawatt.reconcile.projects import check_project, create_project, project_id
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.versions import check_version


def command(turn: Turn, asked: CreateProject | SetEntitlement) -> Project:
    """What is asked of projects; the one that was made or changed. Raises RefusalError, having changed nothing."""
    if isinstance(asked, CreateProject):
        return create_project(turn, asked)
    return set_entitlement(turn, asked)


def set_entitlement(turn: Turn, command: SetEntitlement) -> Project:
    """Give a project another entitlement, as a whole. Raises RefusalError."""
    check_project(turn, command.tenant, command.name)
    before = turn.world.projects[project_id(command.tenant, command.name)]
    check_version(f"project {before.name}", before.version, command.if_version)
    if before.entitlement == command.entitlement:
        return before
    check_entitlement(command.entitlement)
    _check_parent(turn, before, command.entitlement.parent)
    after = turn.put(replace(before, entitlement=command.entitlement))
    caps.forget(turn, after)
    turn.emit("project.entitled", after, f"by {command.by}")
    return after


def check_entitlement(terms: Entitlement) -> None:
    """Refuse amounts that contradict each other."""
    if not 1 <= terms.weight <= WEIGHT_MAX:
        raise _invalid("weight", f"weight must be from 1 to {WEIGHT_MAX}, got {terms.weight}")
    for kind, quota, limit in zip(KINDS, terms.quota.vector(), terms.limit.vector(), strict=True):
        if min(quota, limit) < UNSET:
            raise _invalid(f"quota.{kind}", "amounts must not be below 0")
        if limit != UNSET and quota > limit:
            detail = f"the quota of {quota} {kind} is above the limit of {limit}"
            raise _invalid(f"quota.{kind}", detail)
    _check_kinds(terms)
    for name, cap in (("replicas", terms.caps.replicas), ("storage", terms.caps.storage_bytes)):
        if cap is not None and cap < 0:
            raise _invalid(f"limit.{name}", "amounts must not be below 0")
    if not (terms.borrows or terms.quota.kinds) and max(terms.quota.vector()) == UNSET:
        raise _invalid(
            "borrow", "a project without a quota has nothing but what it borrows", "set a quota too"
        )


def _check_kinds(terms: Entitlement) -> None:
    most, limits = terms.limit.milli_gpu, dict(terms.limit.kinds)
    for kind, quota in terms.quota.kinds:
        limit = min(limits.get(kind, quota), quota if most is None else most)
        if quota > limit:
            detail = f"the quota of {quota / 1000:g} {kind} is above the limit of {limit / 1000:g}"
            raise _invalid(f"quota.kinds.{kind}", detail)


def _check_parent(turn: Turn, project: Project, name: str) -> None:
    """The tree stays a tree, and no deeper than it may be."""
    above, height = name, _height(turn, project)
    depth = 0
    while above:
        depth += 1
        parent = turn.world.projects.get(project_id(project.tenant, above))
        if parent is None:
            check_project(turn, project.tenant, above)
            return
        if parent.id == project.id:
            detail = f"project {project.name} would be part of itself"
            raise _invalid("parent", detail, "name a project that is not below it")
        above = parent.entitlement.parent
    if depth + height > DEPTH_MAX:
        raise _invalid("parent", f"projects may be {DEPTH_MAX} deep, and this would be more")


def _height(turn: Turn, project: Project) -> int:
    """How many levels there are from the project down, its own counted."""
    below: dict[str, list[str]] = {}
    for each in turn.world.projects.values():
        if each.tenant == project.tenant:
            below.setdefault(each.entitlement.parent, []).append(each.name)
    height, level = 0, [project.name]
    while level:
        height += 1
        level = [child for name in level for child in below.get(name, ())]
    return height


def _invalid(field: str, detail: str, hint: str = "") -> RefusalError:
    return RefusalError(RefusalCode.INVALID, detail, field=field, hint=hint)
