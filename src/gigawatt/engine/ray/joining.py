"""`gw node join`: Ray on this machine as long as it is wanted, started again when it ends, as it does with its head."""

import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from gigawatt.clock import monotonic_s
from gigawatt.engine.ray.heads import END_S, STARTED, Member
from gigawatt.model.refusal import RefusalCode, RefusalError

RETRY_S = (0.0, 1.0, 2.0, 5.0)  # between starts; the last repeats
LASTED_S = 60.0  # one that ran so long is followed by the next at once
CONNECT_S = 2.0
LOOK_S = 0.5
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stay_joined(member: Member, head: str, *, say: Callable[[str], None]) -> None:
    """Until SIGTERM or SIGINT; then Ray's part of this machine ends. Our supervisor and what it runs stay."""
    tries = 0
    with _signals() as asked:
        while True:
            if _waited_for(head, asked, say=say):
                return
            begun_s = monotonic_s()
            if _run(member, head, asked, say=say):
                return
            tries = 0 if monotonic_s() - begun_s > LASTED_S else tries + 1
            pause_s = RETRY_S[min(tries, len(RETRY_S) - 1)]
            say(f"Ray has ended on this machine; joining {head} again in {pause_s:g} s")
            if select.select([asked], [], [], pause_s)[0]:
                return


def address_towards(head: str) -> str:
    """This machine's own address on the way to HOST:PORT; nothing is sent. Raises RefusalError."""
    host, _, port = head.rpartition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((host, int(port)))
            return sock.getsockname()[0]
    except (OSError, ValueError, OverflowError) as error:
        raise RefusalError(
            RefusalCode.INVALID,
            f"there is no way to {head}: {error}",
            field="head",
            hint="it is HOST:PORT, as gw up --engine ray says it; the port is 6379 by default",
        ) from error


def check_own(address: str) -> None:
    """Raises RefusalError for an address that this machine does not have: nothing could listen there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{address} is no address of this machine: {error.strerror or error}",
            field="address",
            hint="ip -brief address shows those that it has",
        ) from error


def _waited_for(head: str, asked: int, *, say: Callable[[str], None]) -> bool:
    """Until it answers: Ray would try for half a minute each time. Whether we were asked to end before."""
    host, _, port = head.rpartition(":")
    said = False
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
        except OSError as error:
            if not said:
                say(f"waiting for {head}: {error}")
            said = True
        else:
            return False
        if select.select([asked], [], [], LOOK_S)[0]:
            return True


def _run(member: Member, head: str, asked: int, *, say: Callable[[str], None]) -> bool:
    """Whether it ended because we were asked to."""
    process = subprocess.Popen(
        member.command(f"--address={head}"),
        env=member.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        while True:
            ready, _, _ = select.select([output, asked], [], [])
            if asked in ready:
                _end(process)
                return True
            data = os.read(output.fileno(), 1 << 16)
            if not data:
                process.wait()
                return False
            if STARTED in data:
                say(f"joined {head} as {member.node} at {member.address}")
            elif b"ERR" in data or b"Error" in data:
                say(data.decode(errors="replace").strip())


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _signals() -> Generator[int]:
    """A descriptor that can be read once a signal has come that asks us to end."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def asked(_number: int, _frame: FrameType | None) -> None:
        os.write(writing, b"!")

    before = {number: signal.signal(number, asked) for number in SIGNALS}
    try:
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
