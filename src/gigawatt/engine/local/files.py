"""Where the local engine keeps its nodes, and how to reach their supervisors."""

import hashlib
from pathlib import Path
from typing import Any

from gigawatt.engine.supervisor.layout import Journal, Layout


def nodes_dir(data: Path) -> Path:
    return data / "nodes"


def instance_id(data: Path) -> str:
    """Names the instance of a data directory on this machine: 16 hexadecimal digits of its path's SHA-256."""
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]


def known_nodes(data: Path) -> list[str]:
    """Nodes that have ever been here, sorted."""
    root = nodes_dir(data)
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def socket_of(node_dir: Path) -> str:
    """The path that the node's last supervisor listened on. Raises FileNotFoundError if there was none."""
    return (node_dir / "socket").read_text()


def unreleased(node_dir: Path) -> list[dict[str, Any]]:
    """What a node that does not answer had started and not released, from its journals: their first entries."""
    layout = Layout(node_dir)
    if not layout.live.is_dir():
        return []
    journals = [Journal(layout.attempts / key / "journal").read() for key in layout.live_keys()]
    return [entries[0] for entries in journals if entries and entries[0]["kind"] == "going"]
