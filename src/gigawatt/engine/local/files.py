"""Where the local engine keeps its nodes, and how to reach their supervisors."""

import hashlib
from pathlib import Path


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
