"""After a restart: the jobs that an earlier control plane has left, and the supervisors in them."""

import asyncio

from gigawatt.engine.slurm.client import Slurm
from gigawatt.engine.slurm.crews import Crews
from gigawatt.engine.slurm.files import Files
from gigawatt.engine.slurm.post import Crew


async def find_crews(slurm: Slurm, files: Files, crews: Crews, *, prefix: str) -> None:
    """Know of all that is not released yet, and reach what still runs. `prefix` begins the names of our jobs.

    Raises StaleEpochError, SlurmUnavailableError, SlurmRefusedError.
    """
    for spec, plan, number in await asyncio.to_thread(files.jobs):
        crews.muster(spec, plan, number)
    active = {job.name.removeprefix(prefix): job for job in await slurm.jobs()}
    for crew in tuple(crews.all.values()):
        job = active.get(crew.key)
        crew.over = job is None or job.over
        crew.number = job.id if job else crew.number
        if await asyncio.to_thread(_is_of_no_use, files, crew):
            await crews.forget(crew)
    results = await asyncio.gather(
        *(crews.find(crew) for crew in crews.all.values()), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _is_of_no_use(files: Files, crew: Crew) -> bool:
    """It has been released; or it ended before it came to start, and can be launched anew."""
    if any(files.view(crew.key, node) is not None for node in crew.posts):
        return False
    return crew.over or any(files.was_released(crew.key, node) for node in crew.posts)
