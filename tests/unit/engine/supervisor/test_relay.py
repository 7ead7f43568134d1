"""Copying between a connection and an open file, as a child of a supervisor does."""

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.slow

PROGRAM = "import sys; from gigawatt.engine.supervisor.relay import copy_bytes; copy_bytes({peer}, {file}, written={written})"
MUCH = bytes(range(256)) * 20_000  # more than pipes and sockets hold
END_S = 20


@contextmanager
def copying(
    file: int, *, written: bool = False
) -> Generator[tuple[socket.socket, "subprocess.Popen[bytes]"]]:
    """Our end of the connection, and the child. The file is the child's alone."""
    ours, peer = socket.socketpair()
    ours.settimeout(END_S)
    code = PROGRAM.format(peer=peer.fileno(), file=file, written=written)
    with (
        ours,
        subprocess.Popen([sys.executable, "-c", code], pass_fds=(peer.fileno(), file)) as child,
    ):
        peer.close()
        os.close(file)
        try:
            yield ours, child
        finally:
            child.kill()


def test_what_a_pipe_says_comes_through_with_its_end() -> None:
    read, write = os.pipe()
    with copying(read) as (ours, child):
        with os.fdopen(write, "wb") as said, ours.makefile("rb") as heard:
            said.write(b"abc")
            said.close()
            assert heard.read() == b"abc"
        assert child.wait(END_S) == 0


def test_what_is_said_reaches_a_pipe_with_its_end() -> None:
    read, write = os.pipe()
    with copying(write) as (ours, child):
        ours.sendall(b"abc")
        ours.shutdown(socket.SHUT_WR)
        with os.fdopen(read, "rb") as heard:
            assert heard.read() == b"abc"
        assert child.wait(END_S) == 0


def test_a_socket_answers_after_all_was_said() -> None:
    file, other = socket.socketpair()
    other.settimeout(END_S)
    with other, copying(file.detach()) as (ours, child):
        ours.sendall(b"abc")
        ours.shutdown(socket.SHUT_WR)
        with other.makefile("rb") as heard:
            assert heard.read() == b"abc"
        other.sendall(b"cba")
        other.close()
        with ours.makefile("rb") as answer:
            assert answer.read() == b"cba"
        assert child.wait(END_S) == 0


def test_more_than_anything_holds_comes_through() -> None:
    read, write = os.pipe()
    with copying(read) as (ours, child):
        feeding = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20_000)",
            ],
            stdout=write,
        )
        os.close(write)
        with feeding, ours.makefile("rb") as heard:
            assert heard.read() == MUCH
        assert child.wait(END_S) == 0


def test_of_a_file_that_is_only_written_nothing_is_taken() -> None:
    file, other = socket.socketpair()
    other.settimeout(END_S)
    also = socket.socket(fileno=os.dup(file.fileno()))
    with other, also, copying(file.detach(), written=True) as (ours, _):
        other.sendall(b"for the log")
        ours.sendall(b"typed")
        assert other.recv(100) == b"typed"
        assert also.recv(100) == b"for the log"


def test_it_ends_when_whoever_listens_has_gone() -> None:
    read, write = os.pipe()
    with copying(read) as (ours, child):
        ours.close()
        assert child.wait(END_S) == 0
    os.close(write)
