"""From the flags of what starts together to the fields of a gang, for every command that describes one."""

from dataclasses import dataclass, fields
from typing import Any

import click

from gigawatt.cli.session import Command, pairs

_OPTIONS = (
    click.option("--nodes", help="How many nodes: 2, or 2-4 for as many as are free; default 1."),
    click.option("--ranks-per-node", type=int, help="Processes on each node; default 1."),
    click.option("--cpus", type=float, help="CPUs of each node; default 1."),
    click.option("--memory", help="Memory of each node, e.g. 4GiB."),
    click.option("--gpus", type=float, help="GPUs of each node; a fraction shares one."),
    click.option(
        "--gpu",
        "kinds",
        multiple=True,
        metavar="KIND",
        help="A kind of GPU, the first wanted most.",
    ),
    click.option(
        "--same", metavar="LEVEL", help="All nodes in one of these, e.g. rack; default: near."
    ),
    click.option(
        "--segment",
        metavar="N[:LEVEL]",
        help="N nodes, neighbours in rank, in one LEVEL, e.g. 16:nvlink; default rack.",
    ),
    click.option("--spares", type=int, help="Nodes held for those that fail, of each segment."),
    click.option(
        "--spread",
        metavar="LEVEL[:N]",
        help="At most N nodes in one LEVEL, e.g. rack:1; without N as few as can be.",
    ),
    click.option(
        "--apart",
        multiple=True,
        metavar="NAME=VALUE[,…][:LEVEL]",
        help="In no LEVEL with a gang that has these labels, e.g. app=search:rack; default node.",
    ),
    click.option("--watts", help="What it draws of each node, e.g. 5.5kW; default: by its GPUs."),
)


def gang_options(command: Command) -> Command:
    """The options that say what starts together, and where."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class GangFlags:
    """What `gang_options` were given; None or empty where one was not."""

    nodes: str | None = None
    ranks_per_node: int | None = None
    cpus: float | None = None
    memory: str | None = None
    gpus: float | None = None
    kinds: tuple[str, ...] = ()
    same: str | None = None
    segment: str | None = None
    spares: int | None = None
    spread: str | None = None
    apart: tuple[str, ...] = ()
    watts: str | None = None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> "GangFlags":
        """Out of the options of a command."""
        return cls(**{each.name: given.pop(each.name) for each in fields(cls)})

    def fields(self) -> dict[str, Any]:
        """The fields of a gang that they set, in the job file's words. Raises click.BadParameter."""
        gang: dict[str, Any] = {
            "nodes": None if self.nodes is None else node_range(self.nodes),
            "ranks_per_node": self.ranks_per_node,
            "cpus": self.cpus,
            "memory": self.memory,
            "gpus": self.gpus,
            "gpu_kinds": list(self.kinds) or None,
            "same": self.same,
            "segment": None if self.segment is None else _segment(self.segment),
            "spares": self.spares,
            "spread": None if self.spread is None else _spread(self.spread),
            "apart": [_apart(each) for each in self.apart] or None,
            "watts": self.watts,
        }
        return {name: value for name, value in gang.items() if value is not None}


NO_GANG = GangFlags()


def node_range(text: str) -> int | dict[str, int]:
    """`2`, or `2-4`. Raises click.BadParameter."""
    least, dash, most = text.partition("-")
    if not least.isdecimal() or (dash and not most.isdecimal()):
        raise click.BadParameter(f"{text!r} is neither a number nor a range", param_hint="--nodes")
    return {"min": int(least), "max": int(most)} if dash else int(least)


def _segment(text: str) -> dict[str, Any]:
    nodes, colon, level = text.partition(":")
    if not nodes.isdecimal() or (colon and not level):
        raise click.BadParameter(f"{text!r} is not N or N:LEVEL", param_hint="--segment")
    return {"nodes": int(nodes), **({"level": level} if level else {})}


def _spread(text: str) -> dict[str, Any]:
    level, colon, most = text.partition(":")
    if not level or (colon and not most.isdecimal()):
        raise click.BadParameter(f"{text!r} is not LEVEL or LEVEL:N", param_hint="--spread")
    return {"level": level, **({"at_most": int(most)} if most else {})}


def _apart(text: str) -> dict[str, Any]:
    labels, colon, level = text.rpartition(":")
    if not colon or "=" in level:
        labels, level = text, ""
    found = pairs(tuple(labels.split(",")), "--apart")
    return {"labels": dict(found), **({"level": level} if level else {})}
