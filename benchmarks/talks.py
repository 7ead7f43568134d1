"""Talking to ranks: a forwarded port against the port itself, a key and its echo, a copied gigabyte."""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gigawatt as gw
from benchmarks.figures import Figure, percentile
from benchmarks.instance import Instance, running

BYTES = 512 << 20
COPIED_MIB = 1024
KEYS = 500
CHUNK = 1 << 18
SERVER = f"""
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
def serve(peer):
    with peer:
        if peer.recv(1) == b"d":
            for _ in range({BYTES // CHUNK}): peer.sendall(bytes({CHUNK}))
            return
        count = 0
        while data := peer.recv(1 << 20): count += len(data)
        peer.sendall(str(count).encode())
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


def run() -> list[Figure]:
    with running() as instance, gw.Client(data=instance.data) as client:
        job = client.submit(name="talks", command=[sys.executable, "-c", SERVER])
        try:
            port = _port(instance)
            return [*_ports(job, port), *_keys(job), *_copies(job)]
        finally:
            job.cancel()


def _port(instance: Instance) -> int:
    while True:
        told = subprocess.run(
            [sys.executable, "-m", "gigawatt.cli", "logs", "talks"],
            env=instance.environ(),
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        if told:
            return int(told)
        time.sleep(0.1)


def _ports(job: "gw.Job", port: int) -> list[Figure]:
    figures: list[Figure] = []
    with job.port_forward((0, port)) as forward:
        for way, measure in (("from", _down), ("to", _up)):
            direct, through = measure(port), measure(forward.ports[0])
            what = f"forwarded port, {way} the rank"
            note = f"{direct:.0f} MB/s without it"
            figures.append(
                Figure(what=what, value=through, unit="MB/s", goal=100, at_least=True, note=note)
            )
    return figures


def _down(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as peer:
        begin = time.perf_counter()
        peer.sendall(b"d")
        left = BYTES
        while left:
            left -= len(peer.recv(1 << 20))
        return BYTES / 1e6 / (time.perf_counter() - begin)


def _up(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as peer:
        begin = time.perf_counter()
        peer.sendall(b"u")
        for _ in range(BYTES // CHUNK):
            peer.sendall(bytes(CHUNK))
        peer.shutdown(socket.SHUT_WR)
        assert int(peer.recv(64)) == BYTES
        return BYTES / 1e6 / (time.perf_counter() - begin)


def _keys(job: "gw.Job") -> list[Figure]:
    taken_ms = asyncio.run(_typed(job))
    return [
        Figure(
            what=f"a key and its echo, p{percent}", value=percentile(taken_ms, percent), unit="ms"
        )
        for percent in (50, 99)
    ]


async def _typed(job: "gw.Job") -> list[float]:
    from gigawatt.sdk.live import Window

    talk = await job.live().run("sh", "-c", "stty -icanon; cat > /dev/null", window=Window())
    taken_ms: list[float] = []
    for _ in range(KEYS):
        begin = time.perf_counter()
        await talk.write(b"x")
        await talk.read()
        taken_ms.append((time.perf_counter() - begin) * 1000)
    await talk.close()
    return taken_ms


def _copies(job: "gw.Job") -> list[Figure]:
    with tempfile.TemporaryDirectory() as place:
        source, back = Path(place) / "source", Path(place) / "back"
        with source.open("wb") as file:
            for number in range(COPIED_MIB):
                file.write(number.to_bytes(4, "big") * (1 << 18))
        figures: list[Figure] = []
        for way, copy in (
            ("to", lambda: job.copy_to(source, "copied")),
            ("from", lambda: job.copy_from("copied", back)),
        ):
            begin = time.perf_counter()
            copy()
            value = COPIED_MIB * 1.048576 / (time.perf_counter() - begin)
            figures.append(
                Figure(what=f"1 GB copied {way} a rank, verified", value=value, unit="MB/s")
            )
        return figures
