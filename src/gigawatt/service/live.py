"""Verbs on ranks that run right now: where they are in their programs, and commands beside them."""

import asyncio
from dataclasses import dataclass

from gigawatt.engine.base import UnknownAttemptError
from gigawatt.model.launch import AttemptKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.accesses import Access
from gigawatt.service.live_ranks import ended, live_rank, live_ranks
from gigawatt.service.lookup import find_job
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.service.stack_groups import grouped
from gigawatt.service.views.live import ExecView, StacksView, exec_view, group_view

RANKS_MAX = 1_024  # looked into by one call
PROBES_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command as argv beside one rank, killed when its time is up."""

    command: tuple[str, ...]
    rank: int
    timeout_s: float


@verb
async def stacks(
    caller: Caller,
    services: Services,
    reference: str,
    ranks: tuple[int, ...] = (),
    *,
    project: str = "",
) -> StacksView:
    """Stacks of ranks, all that run if none is named; the same ones together. Raises RefusalError."""
    job = await find_job(caller, services, reference, project)
    key, chosen = live_ranks(job, ranks)
    if len(chosen) > RANKS_MAX:
        detail = f"{len(chosen)} ranks are over the limit of {RANKS_MAX} for one call"
        raise RefusalError(RefusalCode.LIMIT, detail, field="rank", hint="name some of them")
    few = asyncio.Semaphore(PROBES_AT_ONCE)
    texts = await asyncio.gather(*(_probed(services, key, rank, few) for rank in chosen))
    seen = {rank: text for rank, text in zip(chosen, texts, strict=True) if text is not None}
    if not seen:
        raise ended(job, chosen[0])
    return StacksView(
        job=job.id,
        attempt=key.attempt,
        groups=tuple(group_view(group) for group in grouped(seen)),
        gone=tuple(rank for rank in chosen if rank not in seen),
    )


@verb
async def execute(
    caller: Caller,
    services: Services,
    reference: str,
    order: Order,
    *,
    project: str = "",
) -> ExecView:
    """What a command did beside a rank, in its directory and environment. Raises RefusalError."""
    job = await find_job(caller, services, reference, project)
    key, _ = live_rank(job, order.rank)
    program = order.command[0].rpartition("/")[2]
    access = Access(by=caller.name, gang=key.gang, rank=order.rank, verb="exec", what=program)
    await services.accesses.note(services.leader, access)
    try:
        result = await services.engine.exec(
            key, order.rank, order.command, timeout_s=order.timeout_s
        )
    except UnknownAttemptError as error:
        raise ended(job, order.rank) from error
    return exec_view(key, order.rank, result)


async def _probed(
    services: Services, key: AttemptKey, rank: int, few: asyncio.Semaphore
) -> str | None:
    """None for a rank that has ended meanwhile."""
    async with few:
        try:
            return await services.engine.probe(key, rank)
        except UnknownAttemptError:
            return None
