"""What a function that ran as a job returned or raised, as its rank left it below the job's checkpoint directory.

The bytes are the user's and are handed on as they are: nothing here looks into a pickle.
"""

import asyncio
from pathlib import Path

from gigawatt.build.tree_files import find_root, open_inside
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.rank.call import RESULT_BYTES_MAX, RESULTS
from gigawatt.reconcile.launches import checkpoint_dir
from gigawatt.reconcile.turn import Site
from gigawatt.service.lookup import find_job
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services

HEAD_BYTES_MAX = 4_096  # of the line before the body


@verb
async def of_job(
    caller: Caller, services: Services, reference: str, rank: int, *, project: str = ""
) -> bytes:
    """The newest result of one rank. Raises RefusalError (not-found) for a job, and for a rank, that left none."""
    job = await find_job(caller, services, reference, project)
    if not services.work_dir:
        detail = "this process cannot read what jobs leave behind"
        raise RefusalError(RefusalCode.UNSUPPORTED, detail)
    return await asyncio.to_thread(_read, services, job, rank)


def _read(services: Services, job: Job, rank: int) -> bytes:
    """Only a regular file of that directory: a job must not make the control plane read another's files."""
    site = Site(work_dir=services.work_dir, api_url=services.instance.api_url)
    within = Path(checkpoint_dir(job, site))
    name = f"rank-{rank}"
    try:
        real = find_root(within / RESULTS / name, within)
    except RefusalError as error:
        raise _none(job, rank) from error
    with open_inside(within.resolve(), name, real) as file:
        data = file.read(RESULT_BYTES_MAX + HEAD_BYTES_MAX + 1)
    if len(data) > RESULT_BYTES_MAX + HEAD_BYTES_MAX:
        detail = f"the result of rank {rank} is over the limit of {RESULT_BYTES_MAX} bytes"
        raise RefusalError(RefusalCode.TOO_LARGE, detail, field="rank")
    return data


def _none(job: Job, rank: int) -> RefusalError:
    return RefusalError(
        RefusalCode.NOT_FOUND,
        f"rank {rank} of {job.spec.name} ({job.id}) has left no result",
        field="rank",
        hint="only functions submitted from Python leave one; see the job's phase and logs",
    )
