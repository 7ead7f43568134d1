"""What the engine keeps of a Ray cluster outside of Ray, so that a lost head loses nothing.

ray/token             Ray's own token, where the cluster is ours (0600)
ray/secret            proves us to our supervisors, and them to us (0600)
ray/beacon            a node that reads the same here shares our file system
ray/head.json         the head that we have started
ray/nodes/<node>      what was last told of a node
nodes/<node>/         live/ and attempts/<key>/journal as on one machine, of what was sent there and is not released: what
                      a node may run that does not answer, and the data that it uses
"""

import contextlib
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gigawatt.clock import entropy
from gigawatt.engine.local.files import nodes_dir, unreleased
from gigawatt.engine.local.launching import Part
from gigawatt.engine.ray.facts import Facts, facts_json, parse_facts
from gigawatt.engine.supervisor.layout import Layout, write_whole
from gigawatt.engine.supervisor.workdir import remove_tree
from gigawatt.model.launch import AttemptKey

SECRET_BYTES = 32


class Files:
    """Calls block."""

    def __init__(self, data: Path) -> None:
        self.root = data / "ray"
        self.token = self.root / "token"
        self.head = self.root / "head.json"
        self.beacon = self.root / "beacon"
        self._secret = self.root / "secret"
        self._nodes = self.root / "nodes"
        self._sent = nodes_dir(data)
        self._noting = threading.Lock()

    def make(self) -> None:
        for path in (self.root, self._nodes, self._sent):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (self._secret, self.beacon):
            if not path.exists():
                write_whole(path, entropy(SECRET_BYTES).hex().encode())

    def make_token(self) -> Path:
        """Ray's, of a cluster that we start."""
        if not self.token.exists():
            write_whole(self.token, entropy(SECRET_BYTES).hex().encode())
        return self.token

    def token_of(self, node: str) -> str:
        """Of a node's supervisor."""
        return token_of(self.secret(), node)

    def secret(self) -> str:
        return self._secret.read_text()

    def nodes(self) -> list[Facts]:
        found: list[Facts] = []
        with contextlib.suppress(FileNotFoundError):
            for path in sorted(self._nodes.iterdir()):
                with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                    found.append(parse_facts(json.loads(path.read_bytes())))
        return found

    def keep_node(self, facts: Facts) -> None:
        write_whole(self._nodes / facts.node, json.dumps(facts_json(facts)).encode())

    def forget_nodes(self) -> None:
        for path in self._nodes.iterdir():
            path.unlink()

    def note_attempt(self, key: AttemptKey, parts: Mapping[str, Part]) -> None:
        """Before any of its nodes is asked; also twice at once."""
        with self._noting:
            for node, part in parts.items():
                layout = Layout(self._sent / node)
                layout.make()
                directory = layout.attempts / str(key)
                directory.mkdir(exist_ok=True, mode=0o700)
                spec = {"key": str(key), "nodes": part["nodes"], "volumes": part["volumes"]}
                entry = {"kind": "going", "spec": spec, "master_port": 0, "port": 0}
                write_whole(directory / "journal", json.dumps(entry).encode() + b"\n")
                (layout.live / str(key)).touch()

    def forget_attempt(self, key: AttemptKey) -> None:
        with self._noting:
            for live in self._sent.glob(f"*/live/{key}"):
                remove_tree(live.parents[1] / "attempts" / str(key))
                live.unlink(missing_ok=True)

    def openings(self, node: str) -> list[dict[str, Any]]:
        """What may run on a node that does not answer, as the first entries of its journals would say."""
        return unreleased(self._sent / node)


def token_of(secret: str, node: str) -> str:
    """What a node's supervisor and we prove to each other."""
    return hmac.new(secret.encode(), node.encode(), hashlib.sha256).hexdigest()
