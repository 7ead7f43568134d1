"""The engine for a Slurm cluster: one Slurm job for each attempt of a gang, on the nodes that we choose."""

from gigawatt.engine.slurm.client import SlurmCommands
from gigawatt.engine.slurm.engine import SlurmEngine, SlurmOptions
from gigawatt.engine.slurm.jobs import shut_down_jobs

__all__ = ["SlurmCommands", "SlurmEngine", "SlurmOptions", "shut_down_jobs"]
