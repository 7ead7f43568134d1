"""Our Slurm jobs: what they are called, what they are started with, and how all of them are ended."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

from gigawatt.engine.local.files import instance_id
from gigawatt.engine.local.spawn import PROGRAM
from gigawatt.engine.slurm.batch import Batch, Share, gpu_kind, script
from gigawatt.engine.slurm.client import Slurm, SlurmRefusedError, SlurmUnavailableError
from gigawatt.engine.slurm.files import Files
from gigawatt.engine.slurm.tables import SlurmNode
from gigawatt.engine.slurm.users import unix_user
from gigawatt.engine.supervisor.job import JobSpec
from gigawatt.model.refusal import RefusalCode, RefusalError

STAGE_S = 60.0  # supervisors that nobody has told anything by then end, and the job with them


def prefix(instance: str) -> str:
    """Begins the names of all jobs of an instance; the attempt's key follows."""
    return f"gw-{instance[:8]}-"


def spec_of(  # noqa: PLR0913 - each goes into the file
    key: str,
    addresses: dict[str, str],
    files: Files,
    *,
    token: str,
    call: tuple[str, int],
    instance: str,
    orphan_s: float,
    user: str = "",
) -> JobSpec:
    """What the supervisors of an attempt are started with."""
    own = hashlib.sha256(f"{instance}/{key}".encode()).hexdigest()[:16]
    return JobSpec(
        key=key,
        instance=own,
        nodes_dir=str(files.nodes.resolve()),
        node_variable="SLURMD_NODENAME",
        addresses=addresses,
        token=token,
        call=call,
        epoch_file=str(files.epoch.resolve()),
        python=str(files.python.resolve()),
        stage_s=STAGE_S,
        orphan_s=orphan_s,
        user=user,
    )


def batch_of(  # noqa: PLR0913 - each is asked of Slurm
    spec: JobSpec,
    share: Share,
    known: Mapping[str, SlurmNode],
    files: Files,
    *,
    prefix: str,
    options: tuple[str, ...],
    python: str = sys.executable,
) -> Batch:
    """The Slurm job of an attempt that is planned."""
    nodes = tuple(spec.addresses)
    command = (python, "-I", "-S", str(PROGRAM), "--job", str(files.job_file(spec)))
    return Batch(
        name=f"{prefix}{spec.key}",
        nodes=nodes,
        cpus=share.cpus,
        memory_mib=share.memory_mib,
        gpu_kind=gpu_kind(nodes, known),
        gpus=share.gpus,
        script=script(command, nodes=len(nodes), cpus=share.cpus),
        output=str(files.output(spec)),
        options=options,
        user=unix_user(spec.user) if spec.user else None,
    )


async def cancel_all(slurm: Slurm, prefix: str) -> None:
    """End every job of an instance. Raises SlurmUnavailableError, SlurmRefusedError."""
    found = [job.id for job in await slurm.jobs() if job.name.startswith(prefix) and not job.over]
    if found:
        await slurm.cancel(tuple(found))


async def shut_down_jobs(data: Path, slurm: Slurm) -> None:
    """The same without a control plane: after one that was killed. Raises RefusalError where Slurm does not answer."""
    if not Files(data).in_use():
        return
    try:
        await cancel_all(slurm, prefix(instance_id(data)))
        await slurm.close()
    except (SlurmUnavailableError, SlurmRefusedError) as error:
        raise RefusalError(
            RefusalCode.UNAVAILABLE,
            f"Slurm does not answer, so jobs may still run: {error}",
            hint=f"scancel those whose names begin with {prefix(instance_id(data))}",
        ) from error
