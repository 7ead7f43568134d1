"""The desk of a workspace, part by part: code in a home, requests on their way, messages, and what is measured."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gigawatt.rank.desk.facts import Facts, code_directory, read_facts
from gigawatt.rank.desk.front import Front
from gigawatt.rank.desk.measure import Cpu, Gpus
from gigawatt.rank.desk.program import MissingError, Program, program_of
from gigawatt.rank.desk.run import check_home
from gigawatt.rank.desk.terminal import Terminals
from gigawatt.rank.desk.volumes import link_volumes
from gigawatt.rank.desk.websocket import Message, ProtocolError, WebSocket

ONE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def facts(
    home: Path,
    *,
    program: str = "shell",
    bundle: str = "",
    port: int = 0,
    volumes: tuple[str, ...] = (),
) -> Facts:
    return Facts(
        program=program,
        base="/workspaces/lab/",
        home=home,
        bundle=bundle,
        tools="",
        port=port,
        hosts=("127.0.0.1",),
        token="the token",
        devices=(),
        volumes=volumes,
    )


def test_facts_are_read_from_the_launch(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    environ = {
        "GIGAWATT_WORKSPACE": "shell",
        "GIGAWATT_WORKSPACE_PATH": "/workspaces/lab/",
        "GIGAWATT_WORKSPACE_GPUS": "whole",
        "GIGAWATT_DESK_FILE": str(tmp_path / "token"),
        "CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2",
        "HOME": str(tmp_path),
        "PORT": "17000",
        "MASTER_ADDR": "10.0.0.7",
    }
    found = read_facts(environ)
    assert (found.token, found.port) == ("secret", 17_000)
    assert found.hosts == ("10.0.0.7", "127.0.0.1")
    assert found.devices == ("GPU-1", "GPU-2")
    assert read_facts({**environ, "GIGAWATT_WORKSPACE_GPUS": ""}).devices == ()


def test_a_home_that_a_node_does_not_see_is_not_made_there(tmp_path: Path) -> None:
    check_home(tmp_path)
    with pytest.raises(MissingError, match="does not see the file system of homes"):
        check_home(tmp_path / "lab")
    assert not (tmp_path / "lab").exists()


def test_code_is_put_into_the_home_once_and_is_theirs_from_then_on(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (work / "train.py").write_text("theirs\n")
    place = code_directory(facts(home, bundle=ONE), work)
    assert place == home / "code"
    (place / "train.py").write_text("changed\n")
    assert code_directory(facts(home, bundle=ONE), work) == place
    assert (place / "train.py").read_text() == "changed\n"


def test_another_bundle_goes_beside_and_writes_over_nothing(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    (home / "code").mkdir(parents=True)
    (home / "code" / "mine.txt").write_text("a directory of their own\n")
    work.mkdir()
    (work / "train.py").touch()
    place = code_directory(facts(home, bundle=OTHER), work)
    assert place == home / "code-222222222222"
    assert code_directory(facts(home, bundle=OTHER), work) == place
    assert [path.name for path in (home / "code").iterdir()] == ["mine.txt"]
    assert code_directory(facts(home), work) == home


def with_volumes(place: Path, *paths: str) -> Path:
    """A working directory as a node makes it: links to data elsewhere."""
    for path in paths:
        tree = place.with_name(f"{place.name}-trees") / path
        tree.mkdir(parents=True)
        (tree / "where.txt").write_text(place.name)
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).symlink_to(tree)
    return place


def test_volumes_are_linked_into_the_home_anew_at_every_start(tmp_path: Path) -> None:
    home, paths = tmp_path / "home", ("data/corpus", "out")
    home.mkdir()
    for name in ("first", "second"):
        work = with_volumes(tmp_path / name, *paths)
        assert link_volumes(facts(home, volumes=paths), work, home) == []
        assert [(home / path / "where.txt").read_text() for path in paths] == [name, name]
    assert link_volumes(facts(home, volumes=("out",)), work, home) == []
    assert not (home / "data" / "corpus").is_symlink()
    assert (home / "out" / "where.txt").read_text() == "second"


def test_what_is_in_the_way_of_a_volume_stays_and_is_said(tmp_path: Path) -> None:
    home, paths = tmp_path / "home", ("data/corpus", "linked/x", "out")
    (home / "data").mkdir(parents=True)
    (home / "data" / "corpus").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (home / "linked").symlink_to(tmp_path / "elsewhere")
    (home / "out").symlink_to(tmp_path / "elsewhere")
    work = with_volumes(tmp_path / "work", *paths)
    for _ in range(2):
        told = link_volumes(facts(home, volumes=paths), work, home)
        assert [each.rpartition(": ")[2] for each in told] == [
            f"{home / 'data' / 'corpus'} is in the way",
            f"{home / 'linked'} is in the way",
            f"{home / 'out'} is in the way",
        ]
    assert (home / "data" / "corpus").read_text() == "mine"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_code_is_copied_into_the_home_without_the_data_beside_it(tmp_path: Path) -> None:
    home, paths = tmp_path / "home", ("data/corpus",)
    home.mkdir()
    work = with_volumes(tmp_path / "work", *paths)
    (work / "train.py").touch()
    told = facts(home, bundle=ONE, volumes=paths)
    place = code_directory(told, work)
    assert [path.name for path in (place / "data").iterdir()] == []
    assert link_volumes(told, work, place) == []
    assert (place / "data" / "corpus" / "where.txt").read_text() == "work"


def test_vscode_is_whichever_is_there_and_else_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = facts(tmp_path, program="vscode")
    with pytest.raises(MissingError, match="npm install --global code-server"):
        program_of(asked, tmp_path, tmp_path)
    for name, strips in (("openvscode-server", False), ("code-server", True)):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        found = program_of(asked, tmp_path, tmp_path)
        assert found is not None
        assert found.argv[0] == str(tmp_path / name)
        assert found.strips is strips
        assert str(found.socket) in found.argv
        assert not [word for word in found.argv if "the token" in word]


def test_a_shell_needs_no_program(tmp_path: Path) -> None:
    assert program_of(facts(tmp_path), tmp_path, tmp_path) is None


async def answered(port: int, request: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.replace("\n", "\r\n").encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A program that answers with the head of what it was asked."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + head)
    await writer.drain()
    writer.close()


def port_of(server: asyncio.AbstractServer) -> int:
    assert isinstance(server, asyncio.Server)
    return server.sockets[0].getsockname()[1]


def test_who_knows_the_token_is_passed_on_without_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        program = Program((), {}, tmp_path, tmp_path / "s", strips=True)
        front = Front(facts(tmp_path, program="vscode"), program, Terminals(tmp_path))
        server = await front.serve()
        port = port_of(server)
        ask = "GET {path} HTTP/1.1\nHost: h\n{more}Connection: keep-alive\n\n"
        path = "/workspaces/lab/a%20b?c=d"
        assert " 503 " in await answered(port, ask.format(path="/-/ready", more=""))
        behind = await asyncio.start_unix_server(echoing, str(tmp_path / "s"))
        assert " 200 " in await answered(port, ask.format(path="/-/ready", more=""))
        for more in ("", "X-Gigawatt-Desk: wrong\n"):
            assert " 403 " in await answered(port, ask.format(path=path, more=more))
        known = "X-Gigawatt-Desk: the token\nX-Kept: 1\n"
        answer = await answered(port, ask.format(path=path, more=known))
        _, _, seen = answer.partition("\r\n\r\n")
        assert seen.splitlines()[:4] == [
            "GET /a%20b?c=d HTTP/1.1",
            "Host: h",
            "X-Kept: 1",
            "Connection: close",
        ]
        assert " 400 " in await answered(port, "no HTTP at all\n\n")
        assert front.connections == 0
        server.close()
        behind.close()

    asyncio.run(scenario())


class Wire:
    """The writer's side of a connection in memory."""

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    async def drain(self) -> None: ...


def frame(opcode: int, data: bytes, *, final: bool = True, mask: bytes = b"abcd") -> bytes:
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([(0x80 if final else 0) | opcode]) + size + mask + masked


def received(*frames: bytes) -> tuple[list[Message], bytes]:
    """The messages of a connection, and what was sent back on it."""

    async def scenario() -> tuple[list[Message], bytes]:
        reader, wire = asyncio.StreamReader(), Wire()
        reader.feed_data(b"".join(frames))
        reader.feed_eof()
        socket = WebSocket(reader, wire)  # pyright: ignore[reportArgumentType] - it writes and drains
        found: list[Message] = []
        while (message := await socket.receive()) is not None:
            found.append(message)
        return found, wire.sent

    return asyncio.run(scenario())


def test_messages_are_put_together_and_pings_answered_in_between() -> None:
    long = bytes(range(256)) * 3
    found, sent = received(
        frame(1, b"he", final=False),
        frame(9, b"?"),
        frame(0, b"llo"),
        frame(2, long),
        frame(8, b""),
    )
    assert found == [Message(text=True, data=b"hello"), Message(text=False, data=long)]
    assert sent == b"\x8a\x01?" + b"\x88\x00"


def test_a_frame_without_a_mask_or_beyond_the_limit_is_refused() -> None:
    unmasked = bytes([0x81, 0x02]) + b"hi"
    huge = bytes([0x82, 0xFF]) + (1 << 40).to_bytes(8, "big") + b"abcd"
    for wrong in (unmasked, huge):
        with pytest.raises(ProtocolError):
            received(wrong)
    assert received(b"\x81") == ([], b"")


@pytest.mark.slow
def test_processor_time_of_all_that_is_below_counts() -> None:
    cpu = Cpu()
    cpu.milli_cpu()
    burning = (
        "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
        "print(flush=True)\ninput()"
    )
    below = ["sh", "-c", '"$0" -c "$1"; true', sys.executable, burning]
    with subprocess.Popen(below, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        assert cpu.milli_cpu() > 0
        shell.communicate(b"\n")


NVML = """
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    if (strncmp(uuid, "GPU-", 4)) return 6;
    *device = (void *)(long)(uuid[4] - '0');
    return 0;
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned int *rates) {
    rates[0] = 10 * (unsigned int)(long)device;
    rates[1] = 99;
    return 0;
}
"""


@pytest.mark.slow
def test_gpus_are_asked_of_nvml_where_it_is(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    (tmp_path / "nvml.c").write_text(NVML)
    library = tmp_path / "libnvml.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "nvml.c"], check=True)
    assert Gpus(("GPU-2", "GPU-3", "elsewhere"), str(library)).percent() == 30
    assert Gpus((), str(library)).percent() == 0


def test_without_nvml_no_gpu_is_used() -> None:
    assert Gpus(("GPU-1",), "libthere-is-none.so").percent() == 0
