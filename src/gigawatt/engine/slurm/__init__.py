"""The engine for a Slurm cluster: one Slurm job for each attempt of a gang, on the nodes that we choose."""

from gigawatt.engine.slurm.client import Slurm, SlurmCommands
from gigawatt.engine.slurm.engine import SlurmEngine
from gigawatt.engine.slurm.jobs import shut_down_jobs
from gigawatt.engine.slurm.options import SlurmOptions
from gigawatt.engine.slurm.rest import SlurmRest
from gigawatt.engine.slurm.tokens import Bearer, TokenOfFile, TokenOfSlurm

__all__ = [
    "Bearer",
    "Slurm",
    "SlurmCommands",
    "SlurmEngine",
    "SlurmOptions",
    "SlurmRest",
    "TokenOfFile",
    "TokenOfSlurm",
    "shut_down_jobs",
]
