"""A supervisor that is reached by TCP: who may ask, where it is found, and what it is sent."""

import base64
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gigawatt.engine.local.spawn import PROGRAM
from gigawatt.engine.supervisor.door import Door, read_door
from gigawatt.engine.supervisor.job import ENGINE, SUPERVISOR, proof
from gigawatt.engine.supervisor.parcel import state_of, write_parcel
from tests.waiting import until

pytestmark = pytest.mark.slow

TOKEN = "t0ken"


class Peer:
    """A connection of ours, which speaks in lines, and is closed with its test."""

    open_ones: ClassVar[list["Peer"]] = []

    def __init__(self, door: Door) -> None:
        self._sock = socket.create_connection((door.host, door.port), timeout=10)
        self._lines = self._sock.makefile("rb")
        self.open_ones.append(self)

    def close(self) -> None:
        self._lines.close()
        self._sock.close()

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """{} where it has hung up, before or after it was asked."""
        try:
            self._sock.sendall(json.dumps({"id": 1, "verb": verb, **fields}).encode() + b"\n")
            line = self._lines.readline()
        except (ConnectionResetError, BrokenPipeError):
            return {}
        return json.loads(line) if line else {}

    def send(self, data: bytes) -> None:
        """All that there is to say; then it is closed."""
        self._sock.sendall(data)
        self._sock.shutdown(socket.SHUT_WR)

    def prove(self) -> "Peer":
        told = self.ask("greet", nonce="aa")["ok"]
        assert told["mac"] == proof(TOKEN, SUPERVISOR, "aa", told["nonce"])
        assert self.ask("prove", mac=proof(TOKEN, ENGINE, told["nonce"], "aa")) == {
            "id": 1,
            "ok": {},
        }
        return self


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A directory with a supervisor, which is ended with the test."""
    path = tmp_path / "node"
    path.mkdir()
    _start(path)
    yield path
    while Peer.open_ones:
        Peer.open_ones.pop().close()
    door = read_door(path)
    if door is not None:
        os.kill(door.pid, signal.SIGTERM)
        until(lambda: read_door(path) is None, what="the supervisor to end")


def test_it_is_nobodys_child_and_found_at_the_same_port_after_it_was_killed(root: Path) -> None:
    before = _door(root)
    parent = Path(f"/proc/{before.pid}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(parent) != os.getpid()
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{before.pid}").exists(), what="the supervisor to be gone")
    _start(root)
    after = _door(root)
    assert (after.host, after.port) == (before.host, before.port)
    assert after.pid != before.pid


def test_one_that_was_told_to_end_leaves_no_door(root: Path) -> None:
    peer = Peer(_door(root)).prove()
    assert "ok" in peer.ask("shutdown", grace_s=0)
    until(lambda: read_door(root) is None, what="the door to go")


def test_only_who_has_the_token_may_ask(root: Path) -> None:
    assert Peer(_door(root)).ask("inventory")["error"]["code"] == "bad-request"
    stranger = Peer(_door(root))
    nonce = stranger.ask("greet", nonce="aa")["ok"]["nonce"]
    wrong = proof("another", ENGINE, nonce, "aa")
    assert stranger.ask("prove", mac=wrong)["error"]["code"] == "bad-request"
    assert stranger.ask("ping") == {}
    assert Peer(_door(root)).prove().ask("ping") == {"id": 1, "ok": {}}


def test_a_bundle_is_taken_in_parts_verified_and_unpacked(root: Path) -> None:
    peer, (data, name) = Peer(_door(root)).prove(), _bundle({"a/main.py": b"print(1)"})
    assert peer.ask("bundle", digest=name)["ok"] == {"path": "", "bytes": 0}
    half = len(data) // 2
    peer.ask("bundle-part", digest=name, offset=0, data=_text(data[:half]))
    assert peer.ask("bundle", digest=name)["ok"]["bytes"] == half
    peer.ask("bundle-part", digest=name, offset=half, data=_text(data[half:]))
    path = Path(peer.ask("bundle-whole", digest=name)["ok"]["path"])
    assert (path / "a" / "main.py").read_bytes() == b"print(1)"
    assert peer.ask("bundle", digest=name)["ok"] == {"path": str(path), "bytes": 0}
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_a_bundle_that_is_not_what_its_digest_says_is_dropped(root: Path) -> None:
    peer, (data, name) = Peer(_door(root)).prove(), _bundle({"main.py": b"print(1)"})
    peer.ask("bundle-part", digest=name, offset=0, data=_text(data[:-1] + b"x"))
    error = peer.ask("bundle-whole", digest=name)["error"]
    assert error["code"] == "machine"
    assert "another digest" in error["detail"]
    assert peer.ask("bundle", digest=name)["ok"] == {"path": "", "bytes": 0}


def test_a_bundle_cannot_write_outside_of_its_place(root: Path) -> None:
    peer, (data, name) = Peer(_door(root)).prove(), _bundle({"../../outside": b"x"})
    peer.ask("bundle-part", digest=name, offset=0, data=_text(data))
    assert "cannot be unpacked" in peer.ask("bundle-whole", digest=name)["error"]["detail"]
    assert not (root.parent / "outside").exists()
    assert not (root / "outside").exists()


def test_a_tree_goes_on_where_it_broke_off_and_is_put_where_it_is_at_home(root: Path) -> None:
    peer, (data, name, place) = Peer(_door(root)).prove(), _tree(root.parent)
    _send(root, peer, name, data[:700])
    part = root / "trees" / f"{name}.part"
    until(lambda: part.stat().st_size == 700, what="the first part to be on disk")
    assert _send(root, peer, name, data[700:]) == 700
    assert peer.ask("tree", digest=name, path=str(place))["ok"] == {"whole": False}
    until(lambda: part.stat().st_size == len(data), what="the rest to be on disk")
    assert peer.ask("tree-whole", digest=name, path=str(place))["ok"] == {}
    assert (place / "words").read_text() == "words" * 500
    assert peer.ask("tree", digest=name, path=str(place))["ok"] == {"whole": True}
    assert not part.exists()


def test_a_tree_that_was_changed_on_its_way_is_not_put_anywhere(root: Path) -> None:
    peer, (data, name, place) = Peer(_door(root)).prove(), _tree(root.parent)
    _send(root, peer, name, data[:-1] + b"x")
    part = root / "trees" / f"{name}.part"
    until(lambda: part.stat().st_size == len(data), what="it to be on disk")
    error = peer.ask("tree-whole", digest=name, path=str(place))["error"]
    assert "another digest" in error["detail"]
    assert not place.exists()
    assert not part.exists()


def test_a_tree_for_which_there_is_no_room_is_refused(root: Path) -> None:
    peer, (_, name, _) = Peer(_door(root)).prove(), _tree(root.parent)
    error = peer.ask("tree-take", digest=name, size=1 << 60, anew=False)["error"]
    assert "bytes are needed" in error["detail"]


def test_what_is_not_there_cannot_be_given_and_links_lead_no_removal_out(root: Path) -> None:
    peer, outside = Peer(_door(root)).prove(), root.parent / "outside"
    outside.mkdir()
    (root / "within").mkdir()
    (root / "within" / "link").symlink_to(outside)
    assert peer.ask("tree-give", path=str(root / "none"), skip=0)["error"]["code"] == "unknown"
    paths = [str(root / "within" / ".." / "door"), str(root / "within" / "link" / "x"), "/"]
    (outside / "x").touch()
    assert peer.ask("tree-remove", within=str(root / "within"), paths=paths)["ok"] == {}
    assert (outside / "x").exists()
    assert (root / "door").exists()


@pytest.mark.parametrize("digest", ["../x", "aa", "A" * 64])
def test_what_is_no_digest_is_refused(root: Path, digest: str) -> None:
    peer = Peer(_door(root)).prove()
    for verb, more in (
        ("bundle", {}),
        ("bundle-part", {"offset": 0, "data": ""}),
        ("bundle-whole", {}),
    ):
        assert peer.ask(verb, digest=digest, **more)["error"]["code"] == "bad-request"


@pytest.mark.parametrize(
    "asked",
    [
        {"key": "no.1", "stream": "stdout"},
        {"key": "../x", "stream": "stdout"},
        {"key": "no.1", "stream": "x"},
    ],
)
def test_a_log_that_is_not_there_is_unknown(root: Path, asked: dict[str, str]) -> None:
    peer = Peer(_door(root)).prove()
    assert peer.ask("log", rank=0, offset=0, limit=10, **asked)["error"]["code"] == "unknown"
    assert peer.ask("find-log", rank=0, since_ms=0, **asked)["error"]["code"] == "unknown"


def _start(root: Path) -> None:
    token = root / "token"
    token.write_text(TOKEN)
    command = [sys.executable, "-I", "-S", str(PROGRAM), "--dir", str(root), "--node", "n1"]
    command += ["--instance", "0123456789abcdef", "--token-file", str(token), "--detach", "yes"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=30)
    assert done.stdout == "ready\n"


def _door(root: Path) -> Door:
    door = read_door(root)
    assert door is not None
    return door


def _bundle(files: dict[str, bytes]) -> tuple[bytes, str]:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = target.getvalue()
    return data, hashlib.sha256(data).hexdigest()


def _tree(base: Path) -> tuple[bytes, str, Path]:
    """A parcel, its name, and where it is at home."""
    source = base / "source"
    source.mkdir()
    (source / "words").write_text("words" * 500)
    out = io.BytesIO()
    write_parcel(source, out.write)
    return out.getvalue(), state_of(source)[0], base / "home" / "tree"


def _send(root: Path, peer: Peer, name: str, data: bytes) -> int:
    """By a connection of its own; how much was there before."""
    given = peer.ask("tree-take", digest=name, size=len(data), anew=False)["ok"]
    other = Peer(_door(root)).prove()
    assert other.ask("take", ticket=given["tickets"][0])["ok"] == {}
    other.send(b"\n" + data)
    return given["bytes"]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
