"""Bandwidth between each two of some machines: `gw run --nodes 8 --priority -1000 -- python -m gigawatt.engine.checks.pairs`.

A gang with one rank on each node. In each round every rank exchanges data with one other, both ways at once as an
all-reduce of two does, until each has met each. Rank 0 says which links are slower than the others, and exits with 0, 1
or 2 as checks do. It goes over TCP: what InfiniBand and NVLink give is not measured.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from statistics import median
from typing import Any

from gigawatt.clock import monotonic_s
from gigawatt.engine.checks.said import FAIL, OK, WARN, Said, worst

BYTES = 64 << 20  # each way
CHUNK_BYTES = 1 << 20
CONNECT_S = 60.0
SLOW, BROKEN = 0.5, 0.1  # of the median link
CODES = {OK: 0, WARN: 1, FAIL: 2}

Link = tuple[int, int]


def rounds(ranks: int) -> list[list[Link]]:
    """Who meets whom, round by round: each pair once, nobody twice in a round (the circle method)."""
    places: list[int] = [*range(ranks), *([-1] if ranks % 2 else [])]
    count = len(places)
    found: list[list[Link]] = []
    for _ in range(count - 1):
        pairs = [(places[n], places[count - 1 - n]) for n in range(count // 2)]
        found.append(sorted((min(pair), max(pair)) for pair in pairs if -1 not in pair))
        places = [places[0], places[-1], *places[1:-1]]
    return found


def judge(rates: dict[Link, float], names: list[str]) -> Said:
    """Links by their bytes a second, against the median one."""
    usual = median(rates.values()) if rates else 0.0
    said: list[Said] = []
    for (one, other), rate in sorted(rates.items()):
        outcome = FAIL if rate < BROKEN * usual else WARN if rate < SLOW * usual else OK
        link = f"{names[one]} and {names[other]}"
        detail = f"{rate / 1e9:.2f} GB/s between {link}, and {usual / 1e9:.2f} is usual"
        if outcome != OK:
            said.append(Said(outcome, detail))
    return worst(said) if said else Said(OK, f"{len(rates)} links, {usual / 1e9:.2f} GB/s")


class Meeting:
    """All ranks around rank 0: what each gives comes back to all, so it is a barrier too."""

    def __init__(self, rank: int, ranks: int, address: str, port: int) -> None:
        self._rank = rank
        self._others: list[Any] = []
        if rank == 0:
            server = socket.create_server((address, port), backlog=ranks)
            server.settimeout(CONNECT_S)
            for _ in range(ranks - 1):
                self._others.append(server.accept()[0].makefile("rw"))
            server.close()
            self.address = address
        else:
            sock = _connected(address, port)
            self.address = str(sock.getsockname()[0])
            self._others.append(sock.makefile("rw"))

    def exchange(self, value: Any) -> list[Any]:
        """By rank, what each of them gave."""
        line = json.dumps([self._rank, value]) + "\n"
        if self._rank:
            self._write(line)
            return json.loads(self._others[0].readline())
        told = [[0, value], *(json.loads(other.readline()) for other in self._others)]
        values = [each for _, each in sorted(told, key=lambda pair: pair[0])]
        self._write(json.dumps(values) + "\n")
        return values

    def _write(self, line: str) -> None:
        for other in self._others:
            other.write(line)
            other.flush()


def swap(sock: socket.socket, size: int = BYTES) -> float:
    """Send and receive so many bytes at once; bytes a second of each way."""
    chunk = bytes(CHUNK_BYTES)

    def send() -> None:
        for _ in range(size // CHUNK_BYTES):
            sock.sendall(chunk)

    began = monotonic_s()
    sender = threading.Thread(target=send)
    sender.start()
    left, buffer = size, bytearray(CHUNK_BYTES)
    while left:
        read = sock.recv_into(buffer, min(left, CHUNK_BYTES))
        if not read:
            raise ConnectionResetError("the other end has gone")
        left -= read
    sender.join()
    return size / (monotonic_s() - began)


def main() -> int:
    """Exit code 0, 1 or 2 of rank 0; the others have nothing to say."""
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    meeting = Meeting(rank, ranks, os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    server = socket.create_server((meeting.address, 0), backlog=ranks)
    node = os.environ.get("GIGAWATT_NODE", socket.gethostname())
    table = meeting.exchange([node, meeting.address, server.getsockname()[1]])
    own: list[list[float]] = []
    for pairs in rounds(ranks):
        meeting.exchange(None)
        for one, other in pairs:
            if rank == one:
                with _connected(table[other][1], table[other][2]) as sock:
                    own.append([one, other, swap(sock)])
            elif rank == other:
                with server.accept()[0] as sock:
                    swap(sock)
    every = meeting.exchange(own)
    if rank:
        return 0
    rates = {(int(a), int(b)): rate for some in every for a, b, rate in some}
    said = judge(rates, [str(name) for name, _, _ in table])
    sys.stdout.write(f"{said.outcome}: {said.detail}\n")
    return CODES[said.outcome]


def _connected(address: str, port: int) -> socket.socket:
    """Raises OSError if nobody listens there in time."""
    until = monotonic_s() + CONNECT_S
    while True:
        try:
            return socket.create_connection((address, port), timeout=CONNECT_S)
        except ConnectionRefusedError:
            if monotonic_s() > until:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
