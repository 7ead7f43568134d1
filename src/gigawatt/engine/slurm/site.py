"""What every node of a Slurm cluster has in common, and where each stands."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import yaml

from gigawatt.clock import monotonic_s
from gigawatt.engine.local.machine import look_at_machine
from gigawatt.engine.slurm.client import Slurm, SlurmRefusedError, SlurmUnavailableError
from gigawatt.engine.slurm.topology import Group, Topology, parse_document, parse_lines
from gigawatt.model.refusal import RefusalCode, RefusalError

PATIENCE_S = 30.0  # for the controller to answer when we begin
ASK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`silent_s` is in which Slurm gives up a node that does not answer, at most."""

    topology: Topology
    system: str
    pythons: tuple[str, ...]
    silent_s: float


async def meet(
    slurm: Slurm, topology: tuple[Group, ...] = (), *, patience_s: float = PATIENCE_S
) -> Site:
    """Once the controller answers. Nodes have the system of this machine. Raises RefusalError (unavailable)."""
    deadline_s = monotonic_s() + patience_s
    while True:
        try:
            facts = await slurm.facts()
            groups = topology or parse_lines(await slurm.topology())
            break
        except SlurmUnavailableError as error:
            if monotonic_s() > deadline_s:
                raise silent(error) from error
            await asyncio.sleep(ASK_AGAIN_S)
        except SlurmRefusedError as error:
            raise silent(error) from error
    machine = await asyncio.to_thread(look_at_machine)
    return Site(
        topology=Topology(groups, site=facts.cluster),
        system=machine.system,
        pythons=machine.pythons,
        silent_s=facts.silent_s,
    )


def silent(why: object) -> RefusalError:
    """What is raised where Slurm cannot be asked."""
    return RefusalError(
        RefusalCode.UNAVAILABLE,
        f"Slurm does not answer: {why}",
        field="engine",
        hint="see that sinfo works here, as this user",
    )


def read_topology(path: Path) -> tuple[Group, ...]:
    """Of a topology.yaml, or a topology.conf by any other name. Raises RefusalError."""
    try:
        text = path.read_text()
        if path.suffix in {".yaml", ".yml"}:
            return parse_document(yaml.safe_load(text))
        return parse_lines(text)
    except (OSError, ValueError, KeyError, yaml.YAMLError) as error:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{path} cannot be read as Slurm's topology: {error}",
            field="slurm_topology",
        ) from error
