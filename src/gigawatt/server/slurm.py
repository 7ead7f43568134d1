"""What the settings say of a Slurm cluster."""

import shlex
import sys
from pathlib import Path

from gigawatt.engine.slurm import (
    Bearer,
    Slurm,
    SlurmCommands,
    SlurmOptions,
    SlurmRest,
    TokenOfFile,
    TokenOfSlurm,
)
from gigawatt.engine.slurm.shapes import option_fields
from gigawatt.engine.slurm.site import read_topology
from gigawatt.engine.slurm.users import read_users
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server.walls import walls_of
from gigawatt.settings import Settings

SCHEMES = ("http://", "https://", "unix:/")


def slurm_of(settings: Settings) -> Slurm:
    """By REST where its address is given, else by the commands. Raises RefusalError."""
    commands = SlurmCommands()
    if not settings.slurm_rest:
        return commands
    if not settings.slurm_rest.startswith(SCHEMES):
        raise RefusalError(
            RefusalCode.INVALID,
            f"{settings.slurm_rest!r} is no address of slurmrestd",
            field="slurm_rest",
            hint="write http://login1:6820, or unix:/run/slurmrestd.sock",
        )
    try:
        option_fields(_options(settings))
    except ValueError as error:
        raise RefusalError(RefusalCode.INVALID, str(error), field="slurm_options") from error
    token = (
        TokenOfFile(Path(settings.slurm_token)) if settings.slurm_token else TokenOfSlurm(commands)
    )
    return SlurmRest(settings.slurm_rest, Bearer(token), commands)


def slurm_options(settings: Settings) -> SlurmOptions:
    """Raises RefusalError for a file that cannot be read."""
    return SlurmOptions(
        partition=settings.slurm_partition,
        options=_options(settings),
        orphan_s=settings.orphan_s,
        topology=read_topology(Path(settings.slurm_topology)) if settings.slurm_topology else (),
        users=read_users(settings.slurm_users) if settings.slurm_users else None,
        python=settings.slurm_python or sys.executable,
        walls=walls_of(settings),
    )


def _options(settings: Settings) -> tuple[str, ...]:
    return tuple(shlex.split(settings.slurm_options))
