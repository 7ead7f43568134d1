"""One supervisor by itself, spoken to over its socket: epochs, limits, and what it does when nobody asks."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gigawatt.engine.supervisor.wire import LINE_BYTES_MAX
from tests.contract.engine.leading import is_alive
from tests.contract.engine.peer import Peer, Running, a_spec, running, start
from tests.waiting import until

pytestmark = pytest.mark.slow


def test_the_highest_epoch_is_remembered_across_restarts(tmp_path: Path) -> None:
    with running(tmp_path) as (_, peer):
        assert peer.ask("hello", epoch=7)["epoch"] == 7
        assert peer.ask("hello", epoch=6)["code"] == "stale-epoch"
    started = Running(tmp_path)
    peer = Peer(tmp_path)
    assert peer.ask("hello", epoch=6) == {
        "code": "stale-epoch",
        "detail": "epoch 7 was seen, this is 6",
        "epoch": 7,
    }
    for verb in ("stage", "go", "abort", "stop", "release", "state"):
        assert peer.ask(verb, epoch=6, key="j.1")["code"] == "stale-epoch"
    peer.ask("shutdown", grace_s=0)
    peer.close()
    started.process.wait(20)


def test_a_stage_without_its_go_is_abandoned(tmp_path: Path) -> None:
    with running(tmp_path, "--stage-s", "0.2") as (_, peer):
        staged = peer.ask("stage", epoch=1, spec=a_spec(), secrets={"GIGAWATT_TOKEN": "x"})
        assert staged["state"] == "staged"
        until(lambda: not (tmp_path / "attempts" / "j.1").exists(), what="let go of")
        answer = peer.ask("go", epoch=1, key="j.1", master_port=1, port=0)
        assert answer["code"] == "machine"
        assert peer.ask("stage", epoch=1, spec=a_spec(), secrets={})["state"] == "staged"


def test_what_was_let_go_of_may_be_staged_again_at_once(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for number in range(200):  # so much that removing it takes longer than staging it again
        (bundle / str(number)).write_bytes(bytes(1000))
    with running(tmp_path / "node") as (_, peer):
        spec = {**a_spec(), "template": str(bundle)}
        for _ in range(5):
            staged = peer.ask("stage", epoch=1, spec=spec, secrets={})
            assert staged["state"] == "staged", staged
            peer.ask("abort", epoch=1, key="j.1")
        start(peer, spec)
        assert len(list((tmp_path / "node" / "attempts" / "j.1" / "work").iterdir())) == 200
        discarded = tmp_path / "node" / "discarded"
        until(lambda: not list(discarded.iterdir()), what="everything let go of removed")


def test_staging_twice_stages_once(tmp_path: Path) -> None:
    with running(tmp_path) as (_, peer):
        first = peer.ask("stage", epoch=1, spec=a_spec(), secrets={})
        assert peer.ask("stage", epoch=1, spec=a_spec(), secrets={}) == first


def test_without_a_control_plane_for_long_it_ends_with_its_ranks(tmp_path: Path) -> None:
    with running(tmp_path, "--orphan-s", "0.3") as (started, peer):
        pid = start(peer, a_spec())
        peer.close()
        until(started.ended, what="its end")
        assert not is_alive(pid)


def test_with_a_control_plane_it_stays(tmp_path: Path) -> None:
    with running(tmp_path, "--orphan-s", "0.1") as (started, peer):
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < 0.3:
            assert peer.ask("ping") == {}
        assert not started.ended()


def test_shutting_down_ends_ranks_with_their_grace(tmp_path: Path) -> None:
    with running(tmp_path) as (started, peer):
        script = "trap 'exit 3' TERM; touch trapped; while :; do sleep 0.01; done"
        start(peer, a_spec("j.1", "sh", "-c", script))
        until((tmp_path / "attempts/j.1/work/trapped").exists, what="the trap set")
        peer.ask("shutdown", grace_s=10)
        assert peer.wait("exited")["exit_code"] == 3
        started.process.wait(20)
        assert not (tmp_path / "supervisor.sock").exists()


def test_a_second_supervisor_of_a_node_is_refused(tmp_path: Path) -> None:
    with running(tmp_path):
        second = Running(tmp_path)
        assert second.said == "locked"
        assert second.process.wait(20) == 1


def test_a_directory_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failed = Running(tmp_path / "file" / "node")
    assert failed.said.startswith("error ")
    assert failed.process.wait(20) == 1


def test_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / ("deep" * 20) / ("deeper" * 10) / "node"
    with running(root) as (_, peer):
        path = (root / "socket").read_text()
        assert not path.startswith(str(root))
        assert Path(path).stat().st_mode & 0o777 == 0o600
        start(peer, a_spec("j.1", "true"))
        peer.wait("gone")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused(tmp_path: Path) -> None:
    root = Path("/run") / f"gigawatt-test-{os.getpid()}"
    root.mkdir()
    with running(root):
        path = (root / "socket").read_text()
        root.chmod(0o755)
        Path(path).chmod(0o666)
        script = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            "s.connect(sys.argv[1]);"
            's.sendall(b\'{"id":1,"verb":"ping"}\\n\'); print(s.recv(100))'
        )
        other = subprocess.run(
            [sys.executable, "-c", script, path], capture_output=True, check=False
        )
        hung_up = (b"ConnectionResetError", b"BrokenPipeError")
        assert other.stdout == b"b''\n" or any(each in other.stderr for each in hung_up)
    subprocess.run(["rm", "-r", str(root)], check=True)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b'{"id": 1, "verb": "dance"}\n', "bad-request"),
        (b'{"id": 1}\n', "bad-request"),
        (b'{"id": 1, "verb": "stage", "epoch": 1, "spec": {}, "secrets": {}}\n', "bad-request"),
        (b'{"id": 1, "verb": "stage", "epoch": "x"}\n', "bad-request"),
        (b'{"id": 1, "verb": "stop", "epoch": 1, "key": "j.1"}\n', "ok"),
        (b'{"id": 1, "verb": "probe", "key": "j.1", "rank": 0}\n', "unknown"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_and_harms_nothing(
    tmp_path: Path, message: bytes, code: str
) -> None:
    with running(tmp_path) as (_, peer):
        other = Peer(tmp_path)
        other.send(message)
        answer = other.receive()
        assert answer.get("error", {"code": "ok"})["code"] == code
        other.close()
        start(peer, a_spec("j.1", "true"))


def test_a_key_that_leads_outside_its_directory_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as (_, peer):
        for key in ("../j.1", "..", ".hidden"):
            answer = peer.ask("stage", epoch=1, spec=a_spec() | {"key": key}, secrets={})
            assert answer["code"] == "bad-request"


def test_whoever_sends_no_lines_is_let_go(tmp_path: Path) -> None:
    with running(tmp_path) as (_, peer):
        for garbage in (b"no json\n", b"x" * (LINE_BYTES_MAX + 10)):
            other = Peer(tmp_path)
            try:
                other.send(garbage)
                assert other.is_closed()
            except (BrokenPipeError, ConnectionResetError):
                pass  # it hung up while we were sending
            finally:
                other.close()
        assert peer.ask("ping") == {}


def test_log_limits_hold_for_a_hundred_megabytes_and_memory_stays(tmp_path: Path) -> None:
    with running(tmp_path) as (started, peer):
        before = _resident_kb(started.process.pid)
        start(peer, a_spec("j.1", "head", "-c", str(100 << 20), "/dev/zero"))
        peer.wait("gone")
        segments = sorted((tmp_path / "attempts/j.1/logs/rank-0.stdout").glob("0*[0-9]"))
        sizes = [path.stat().st_size for path in segments]
        assert sum(sizes) <= 64 << 20
        assert [segments[0].name, segments[-1].name] == [f"{0:016d}", f"{96 << 20:016d}"]
        assert _resident_kb(started.process.pid) - before < 4096


def test_a_supervisor_is_small_and_sleeps_when_nothing_happens(tmp_path: Path) -> None:
    with running(tmp_path) as (started, _):
        rollup = Path(f"/proc/{started.process.pid}/smaps_rollup").read_text()
        pss_kb = next(int(row.split()[1]) for row in rollup.splitlines() if row.startswith("Pss:"))
        assert pss_kb <= 12 * 1024
        before = _switches(started.process.pid)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as quiet:
            quiet.settimeout(0.5)
            quiet.bind("")
            with pytest.raises(TimeoutError):
                quiet.recv(1)
        assert _switches(started.process.pid) - before <= 1


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS:"))


def _switches(pid: int) -> int:
    """How often it has gone to sleep."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(
        int(row.split()[1])
        for row in status.splitlines()
        if row.startswith("voluntary_ctxt_switches:")
    )
