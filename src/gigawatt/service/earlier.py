"""What a job or an array comes after: from names to ids, with what has ended by now."""

from dataclasses import dataclass, replace

from gigawatt.model.array import JobArray, task_id, task_reference
from gigawatt.model.job import Job, JobPhase, JobSpec, follows
from gigawatt.model.ranges import Ranges, contains, minus, text
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import not_found
from gigawatt.service.permissions import sees
from gigawatt.service.services import Services
from gigawatt.store.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a job comes after, jobs, arrays and tasks by id; those of them that must have failed, those of which no matter how
    they end, and those that have ended already as it asks. `each` is an array that is followed task by task, and `each_done`
    which of its tasks have succeeded, if it has ended.
    """

    ids: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    anyhow: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    each: str = ""
    each_done: Ranges | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One of them; without a phase where it has still to end."""

    id: str
    name: str
    kind: str
    phase: JobPhase | None


async def resolve_after(
    caller: Caller, services: Services, spec: JobSpec, project: str, tasks: Ranges = ()
) -> Earlier:
    """Ids for the names and ids that a spec comes after; `tasks` are its own, of an array.

    Raises RefusalError for what is not there, or can never end so.
    """
    names = spec.after
    found = dict(zip(names, await _found(caller, services, names, project), strict=True))
    ones = tuple(found.values())
    earlier = Earlier(
        ids=tuple(dict.fromkeys(one.id for one in ones)),
        failed=tuple(dict.fromkeys(found[name].id for name in spec.after_failed)),
        anyhow=tuple(dict.fromkeys(found[name].id for name in spec.after_done)),
        done=tuple(one.id for one in ones if one.phase),
    )
    asked = replace(spec, after=earlier.ids, after_failed=earlier.failed, after_done=earlier.anyhow)
    for one in ones:
        if one.phase and not follows(asked, one.id, one.phase):
            again = "" if one.phase is JobPhase.SUCCEEDED else f"gw retry {one.id}, or "
            raise RefusalError(
                RefusalCode.CONFLICT,
                f"{one.kind} {one.id} ({one.name}), which it comes after, is {one.phase.value}",
                field="after_failed" if one.id in earlier.failed else "after",
                hint=f"{again}take it out of `after`",
            )
    if not spec.after_each:
        return earlier
    upstream = await _followed(caller, services, spec.after_each, project, tasks)
    return replace(
        earlier, each=upstream.id, each_done=upstream.succeeded if upstream.ended else None
    )


async def _found(
    caller: Caller, services: Services, names: tuple[str, ...], project: str
) -> list[_Found]:
    live = [services.leader.job(name) for name in names]
    known = [_whole(job) for job in live if job and sees(caller, job.tenant, job.project)]
    if len(known) == len(names):
        return known
    # Some by name, some ended, some tasks that are numbers yet: only the store knows.
    return await services.read(lambda: [_one(caller, services, each, project) for each in names])


def _one(caller: Caller, services: Services, name: str, project: str) -> _Found:
    task = task_reference(name)
    if task is None:
        return _whole(_named(caller, services, name, project))
    array, index = _array(caller, services, task[0], project, field="after"), task[1]
    if not contains(array.tasks.indices, index):
        raise RefusalError(
            RefusalCode.NOT_FOUND,
            f"array {array.id} ({array.spec.name}) has no task {index}",
            field="after",
            hint=f"it has {text(array.tasks.indices)}",
        )
    return _Found(
        id=task_id(array.id, index),
        name=f"{array.spec.name}[{index}]",
        kind="task",
        phase=array.phase_of(index),
    )


async def _followed(
    caller: Caller, services: Services, name: str, project: str, tasks: Ranges
) -> JobArray:
    """The array that is followed task by task, which must have all of the follower's tasks."""
    upstream = await services.read(
        lambda: _array(caller, services, name, project, field="after_each")
    )
    missing = minus(tasks, upstream.tasks.indices)
    if missing:
        raise RefusalError(
            RefusalCode.INVALID,
            f"array {upstream.id} ({upstream.spec.name}) has no tasks {text(missing)} to come after",
            field="after_each",
            hint=f"it has {text(upstream.tasks.indices)}; ask for these or fewer",
        )
    return upstream


def _whole(work: Job | JobArray) -> _Found:
    kind = "job" if isinstance(work, Job) else "array"
    phase = work.phase if work.ended else None
    return _Found(id=work.id, name=work.spec.name, kind=kind, phase=phase)


def _array(caller: Caller, services: Services, name: str, project: str, *, field: str) -> JobArray:
    """The array of that id, or the newest of that name."""
    work = services.store.read(JobArray, name)
    if work is not None and sees(caller, work.tenant, work.project):
        return work
    query = Query(tenant=caller.tenant, project=project, name=name, limit=1)
    found = services.store.page(JobArray, query).items
    if not found:
        raise _missing("array", name, field)
    return found[0]


def _named(caller: Caller, services: Services, name: str, project: str) -> Job | JobArray:
    """The job or array of that id, or the newest of that name."""
    for kind in (Job, JobArray):
        work = services.store.read(kind, name)
        if work is not None and sees(caller, work.tenant, work.project):
            return work
    query = Query(tenant=caller.tenant, project=project, name=name, limit=1)
    found = [
        *services.store.page(Job, query).items,
        *services.store.page(JobArray, query).items,
    ]
    if not found:
        raise _missing("job", name, "after")
    return max(found, key=lambda work: (work.created_ms, work.id))


def _missing(word: str, name: str, field: str) -> RefusalError:
    error = not_found(word, name)
    return RefusalError(error.code, error.detail, field=field, hint=error.hint)
