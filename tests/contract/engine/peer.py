"""A supervisor started by hand, and a client that speaks its protocol."""

import json
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gigawatt.engine import supervisor

PROGRAM = Path(supervisor.__file__).parent / "__main__.py"


class Peer:
    """A client that speaks the protocol by hand."""

    def __init__(self, root: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(30)
        self._sock.connect((root / "socket").read_text())
        self._lines = self._sock.makefile("rb")
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        self._number += 1
        self.send(json.dumps({"id": self._number, "verb": verb, **fields}).encode() + b"\n")
        while True:
            message = self.receive()
            if message.get("id") == self._number:
                return message.get("ok", message.get("error", {}))
            self.events.append(message["event"])

    def wait(self, kind: str) -> dict[str, Any]:
        while True:
            for event in self.events:
                if event["kind"] == kind:
                    return event
            self.events.append(self.receive()["event"])

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def receive(self) -> dict[str, Any]:
        return json.loads(self._lines.readline() or b"{}")

    def is_closed(self) -> bool:
        try:
            return not self._lines.readline()
        except ConnectionError:
            return True

    def close(self) -> None:
        self._lines.close()
        self._sock.close()


class Running:
    """A supervisor that a test has started."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        argv = [sys.executable, "-I", "-S", str(PROGRAM), "--dir", str(root)]
        self.process = subprocess.Popen(
            [*argv, "--node", "n", "--instance", "0123456789abcdef", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().decode().strip()
        self.process.stdout.close()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def shut_down(self) -> None:
        peer = Peer(self.root)
        peer.ask("shutdown", grace_s=0)
        peer.close()


@contextmanager
def running(root: Path, *options: str) -> Generator[tuple[Running, Peer], None, None]:
    started = Running(root, *options)
    assert started.said == "ready"
    peer = Peer(root)
    peer.ask("hello", epoch=1)
    peer.ask("inventory")
    try:
        yield started, peer
    finally:
        peer.close()
        if not started.ended():
            started.shut_down()
        started.process.wait(20)


def a_spec(key: str = "j.1", *command: str, **fields: Any) -> dict[str, Any]:
    return {
        "key": key,
        "gang": key.split(".", maxsplit=1)[0],
        "attempt": 1,
        "kind": "job",
        "name": "x",
        "tenant": "t",
        "project": "p",
        "command": command or ("sleep", "300"),
        "env": {},
        "nodes": ["n"],
        "node_rank": 0,
        "world_size": 1,
        "ranks": [{"rank": 0, "local_rank": 0, "gpus": []}],
        "milli_cpu": 100,
        "memory_bytes": 0,
        "node_has_gpus": False,
        "environment": "",
        "template": "",
        "workdir": "",
        "checkpoint_dir": "",
        "model_path": "",
        "resume_step": None,
        "readiness": None,
        "log_bytes_max": 0,
        "master_addr": "127.0.0.1",
        **fields,
    }


def start(peer: Peer, spec: dict[str, Any]) -> int:
    """Stage and go; the pid of rank 0."""
    staged = peer.ask("stage", epoch=1, spec=spec, secrets={})
    assert staged["state"] == "staged", staged
    gone = peer.ask("go", epoch=1, key=spec["key"], master_port=staged["master_port"], port=0)
    assert gone == {"state": "going"}, gone
    return peer.wait("started")["pid"]
