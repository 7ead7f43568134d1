"""What is asked of Slurm for one attempt of a gang: a job of its own on the nodes that we chose. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.engine.slurm.tables import SlurmNode
from gigawatt.engine.slurm.users import UnixUser
from gigawatt.model.launch import Launch

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Amounts are of each node. Memory 0 leaves it to the cluster's own default."""

    name: str
    nodes: tuple[str, ...]
    cpus: int
    memory_mib: int
    gpu_kind: str
    gpus: int
    script: str
    output: str
    options: tuple[str, ...] = ()  # the operator's: --partition=..., --account=...
    user: UnixUser | None = None  # whose job it is, if not ours

    @property
    def gres(self) -> str:
        kind = f":{self.gpu_kind}" if self.gpu_kind else ""
        return f"gpu{kind}:{self.gpus}" if self.gpus else ""

    def arguments(self) -> list[str]:
        """For sbatch, which is given the script on its standard input."""
        words = [
            "--parsable",
            "--no-requeue",
            f"--job-name={self.name}",
            f"--nodes={len(self.nodes)}",
            f"--nodelist={','.join(self.nodes)}",
            "--ntasks-per-node=1",
            f"--cpus-per-task={self.cpus}",
            f"--output={self.output}",
            "--open-mode=append",
            "--export=ALL",
        ]
        if self.user:
            words += [f"--uid={self.user.uid}", f"--gid={self.user.gid}", "--chdir=/"]
        if self.memory_mib:
            words.append(f"--mem={self.memory_mib}")
        if self.gres:
            words.append(f"--gres={self.gres}")
        return [*words, *self.options]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a launch takes of each of its nodes."""

    cpus: int
    memory_mib: int
    gpus: int


def share_of(launch: Launch) -> Share:
    """Whole cores and whole GPUs, as Slurm gives them; where nodes hold different numbers of ranks, the most.

    Raises ValueError for a share of a GPU, which Slurm cannot give.
    """
    ranks: dict[str, int] = {}
    gpus: dict[str, list[str]] = {}
    for placement in launch.placements:
        ranks[placement.node] = ranks.get(placement.node, 0) + 1
        gpus.setdefault(placement.node, []).extend(placement.gpus)
    most = max(ranks.values())
    shared = any(len(set(given)) != len(given) for given in gpus.values())
    if shared or launch.per_rank.milli_gpu % 1000:
        raise ValueError("Slurm gives whole GPUs: a rank cannot have a share of one")
    return Share(
        cpus=max(1, -(-launch.per_rank.milli_cpu * most // 1000)),
        memory_mib=-(-launch.per_rank.memory_bytes * most // MIB),
        gpus=max(map(len, gpus.values())),
    )


def script(command: tuple[str, ...], *, nodes: int, cpus: int) -> str:
    """Starts one supervisor a node: by srun, or as the batch step itself where there is one node."""
    quoted = shlex.join(command)
    if nodes == 1:
        return f"#!/bin/sh\nexec {quoted}\n"
    srun = (
        f"srun --nodes={nodes} --ntasks={nodes} --cpus-per-task={cpus} --mem=0 --kill-on-bad-exit=0"
    )
    return f"#!/bin/sh\nexec {srun} --export=ALL --input=none {quoted}\n"


def gpu_kind(nodes: tuple[str, ...], known: Mapping[str, SlurmNode]) -> str:
    """The kind of GPU to ask for by name: that of the gang's nodes, if they have one kind."""
    kinds = {known[node].gpu_kind for node in nodes if node in known}
    return kinds.pop() if len(kinds) == 1 else ""
