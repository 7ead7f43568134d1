"""What an operator may choose of how Slurm is used."""

import sys
from dataclasses import dataclass

from gigawatt.engine.local.walls import NO_WALLS, WallRules
from gigawatt.engine.slurm.site import PATIENCE_S
from gigawatt.engine.slurm.topology import Group
from gigawatt.engine.slurm.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions:
    """`options` are added to each sbatch: --account=…, --qos=…. `orphan_s` is how long ranks run without a leader,
    `patience_s` how long a controller that does not answer is waited for at the start. With `users` each job is that of
    whoever asked for the gang. `python` runs supervisors.
    """

    partition: str = ""
    options: tuple[str, ...] = ()
    orphan_s: float = 86_400.0
    topology: tuple[Group, ...] = ()  # in place of what Slurm tells
    patience_s: float = PATIENCE_S
    users: Users | None = None
    python: str = sys.executable
    walls: WallRules = NO_WALLS
