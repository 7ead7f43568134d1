"""Where Slurm's nodes stand, from `scontrol show topology`, `topology.conf` or `topology.yaml`. Pure.

A tree's lowest switches are leaves, those above spines, then halls; what is above that is not kept. A block is an
NVLink domain, and holds its nodes closer than any switch. https://slurm.schedmd.com/topology.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from gigawatt.engine.slurm.hostlist import expand
from gigawatt.model.node import TOPOLOGY_LEVELS

SWITCH_LEVELS = ("leaf", "spine", "hall")  # from the nodes up


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A switch with the nodes or switches below it, or a block of nodes."""

    name: str
    nodes: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    is_block: bool = False


class Topology:
    """`site` is the cluster's name."""

    def __init__(self, groups: Iterable[Group] = (), *, site: str = "") -> None:
        self._site = site
        self._block: dict[str, str] = {}
        self._leaf: dict[str, str] = {}
        self._above: dict[str, str] = {}
        for group in groups:
            if group.is_block:
                self._block.update(dict.fromkeys(group.nodes, group.name))
                continue
            self._above.update(dict.fromkeys(group.switches, group.name))
            if not group.switches:  # a switch above others is told with all nodes below it
                self._leaf.update(dict.fromkeys(group.nodes, group.name))

    def path(self, node: str) -> tuple[str, ...]:
        """One name for each of TOPOLOGY_LEVELS, "" where unknown."""
        known = {"site": self._site, "nvlink": self._block.get(node, ""), "node": node}
        switch = self._leaf.get(node, "")
        for level in SWITCH_LEVELS:
            known[level] = switch
            switch = self._above.get(switch, "")
        return tuple(known.get(level, "") for level in TOPOLOGY_LEVELS)


def parse_lines(text: str) -> tuple[Group, ...]:
    """Lines of `Key=Value` words, as topology.conf has them and `scontrol show topology` prints them."""
    groups: list[Group] = []
    for line in text.splitlines():
        words = {
            key.lower(): value
            for key, equals, value in (word.partition("=") for word in line.split("#")[0].split())
            if equals
        }
        nodes = expand(words.get("nodes", ""))
        if "switchname" in words:
            switches = expand(words.get("switches", ""))
            groups.append(Group(name=words["switchname"], nodes=nodes, switches=switches))
        elif "blockname" in words:
            groups.append(Group(name=words["blockname"], nodes=nodes, is_block=True))
    return tuple(groups)


def parse_document(document: object) -> tuple[Group, ...]:
    """The content of a topology.yaml: the default topology, or the first of its list."""
    listed = cast("list[Any]", document) if isinstance(document, list) else []
    entries = [_mapping(each) for each in listed]
    defaults = [each for each in entries if each.get("cluster_default")]
    chosen = _mapping(next(iter((*defaults, *entries)), None))
    switches = _listed(_mapping(chosen.get("tree")).get("switches"))
    blocks = _listed(_mapping(chosen.get("block")).get("blocks"))
    return (
        *(
            Group(
                name=str(each["switch"]),
                nodes=expand(str(each.get("nodes", ""))),
                switches=expand(str(each.get("children", ""))),
            )
            for each in switches
        ),
        *(
            Group(name=str(each["block"]), nodes=expand(str(each.get("nodes", ""))), is_block=True)
            for each in blocks
        ),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _listed(value: object) -> list[Mapping[str, Any]]:
    return [_mapping(each) for each in cast("list[Any]", value)] if isinstance(value, list) else []
