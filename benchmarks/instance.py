"""A real instance in a directory of its own, on free ports, stopped at the end whatever happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GW = (sys.executable, "-m", "gigawatt.cli")


@dataclass(slots=True)
class Instance:
    data: Path
    api_url: str
    gateway_url: str
    token: str
    pid: int

    def environ(self) -> dict[str, str]:
        return {**os.environ, "GIGAWATT_DATA": str(self.data)}

    def gw(self, *args: str) -> str:
        """What a command prints; its failure is ours."""
        done = subprocess.run(
            [*GW, *args], env=self.environ(), capture_output=True, text=True, check=True
        )
        return done.stdout

    def kill(self) -> None:
        """As a crash would: the control plane alone, without a word."""
        os.kill(self.pid, signal.SIGKILL)
        while Path(f"/proc/{self.pid}").exists():
            if "\nState:\tZ" in Path(f"/proc/{self.pid}/status").read_text():
                break
            time.sleep(0.005)


def start(
    data: Path, *, nodes: int = 1, ports: tuple[int, int] = (0, 0), store: str = ""
) -> Instance:
    """`gw up --detach`, and where it answers."""
    command = [*GW, "up", "--detach", *_options(data, nodes, ports, store)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return found(data)


def stand_by(data: Path, *, nodes: int = 1, store: str = "") -> "subprocess.Popen[str]":
    """`gw up --standby`, once it waits; whom it waits for has been read from its standard error."""
    process = subprocess.Popen(
        [*GW, "up", "--standby", *_options(data, nodes, (0, 0), store)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()
    return process


def found(data: Path) -> Instance:
    """The instance that a directory tells of."""
    told = json.loads((data / "instance.json").read_text())
    return Instance(
        data=data,
        api_url=told["api_url"],
        gateway_url=told["gateway_url"],
        token=Path(told["token_path"]).read_text().strip(),
        pid=told["pid"],
    )


def _options(data: Path, nodes: int, ports: tuple[int, int], store: str) -> tuple[str, ...]:
    return (
        *("--data", str(data)),
        *("--port", str(ports[0])),
        *("--gateway-port", str(ports[1])),
        *("--nodes", str(nodes)),
        *(("--store", store) if store else ()),
    )


def stop(data: Path) -> None:
    subprocess.run([*GW, "down", "--data", str(data)], check=True, capture_output=True)


@contextmanager
def running(*, nodes: int = 1) -> Iterator[Instance]:
    data = Path(tempfile.mkdtemp(prefix="gigawatt-bench-"))
    try:
        yield start(data, nodes=nodes)
    finally:
        try:
            stop(data)
        finally:
            shutil.rmtree(data, ignore_errors=True)
