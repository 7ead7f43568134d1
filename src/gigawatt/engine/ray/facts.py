"""What is known of a node of a Ray cluster: told by our steward there, kept on disk, and made into what engines tell. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gigawatt.engine.local.machine import NodeSpec
from gigawatt.model.node import TOPOLOGY_LEVELS, Gpu, NodeReport

PREFIX = "gigawatt.io/"  # of labels that are ours: node, and the levels of topology
NODE_LABEL = f"{PREFIX}node"
RAY_PREFIX = "ray.io/"
UNTOLD_LABELS = frozenset({"ray.io/node-id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`ray` is Ray's id for the node, another one after each restart of its raylet. `host` and `port` are where our
    supervisor listens. `shared` says whether the node sees the control plane's directory.
    """

    node: str
    ray: str
    host: str
    port: int
    cpus: float
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    pythons: tuple[str, ...]
    system: str
    shared: bool
    labels: tuple[tuple[str, str], ...]

    @property
    def spec(self) -> NodeSpec:
        return NodeSpec(
            id=self.node,
            milli_cpu=round(self.cpus * 1000),
            memory_bytes=self.memory_bytes,
            gpus=self.gpus,
        )

    def report(self, *, limits: str) -> NodeReport:
        """As the leader is told of it."""
        return NodeReport(
            id=self.node,
            total=self.spec.total,
            topology=_topology(self.node, dict(self.labels)),
            address=self.host,
            gpus=self.gpus,
            limits=limits,
            system=self.system,
            pythons=self.pythons,
            labels=_told(self.labels),
        )


def facts_json(facts: Facts) -> dict[str, Any]:
    """What `parse_facts` reads again."""
    return asdict(facts)


def parse_facts(raw: Mapping[str, Any]) -> Facts:
    """Raises KeyError, TypeError or ValueError."""
    values: dict[str, Any] = {
        **raw,
        "gpus": tuple(Gpu(**each) for each in raw["gpus"]),
        "pythons": tuple(raw["pythons"]),
        "labels": tuple((str(name), str(value)) for name, value in raw["labels"]),
    }
    return Facts(**values)


def node_name(ray_node: Mapping[str, Any]) -> str:
    """Of a node as Ray lists it: by our label, else by its host name and address."""
    labels: Mapping[str, str] = ray_node.get("Labels") or {}
    address = str(ray_node["NodeManagerAddress"]).replace(".", "-").replace(":", "-")
    return labels.get(NODE_LABEL) or f"{ray_node['NodeManagerHostname']}-{address}"


def _topology(node: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    known = {level: labels.get(f"{PREFIX}{level}", "") for level in TOPOLOGY_LEVELS}
    known["site"] = known["site"] or labels.get(f"{RAY_PREFIX}availability-zone", "") or "ray"
    known["node"] = node
    return tuple(known[level] for level in TOPOLOGY_LEVELS)


def _told(labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Without those that are told as what they mean; names of ours without a slash."""
    return tuple(
        (name.replace("/", "-"), value)
        for name, value in sorted(labels)
        if not name.startswith(PREFIX) and name not in UNTOLD_LABELS
    )
