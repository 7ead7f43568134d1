"""Talking to ranks on a real instance: shells, input and output, attaching, copies, ports, and what is left of it."""

import contextlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start

import gigawatt as gw_
from gigawatt.model.refusal import RefusalError
from tests.surface.server.daily import end, gw, running, strangers_key, wrote
from tests.surface.server.jobs import View, read, wait_phase, wait_running
from tests.surface.server.talking import asked, at_terminal, started
from tests.waiting import until

pytestmark = pytest.mark.slow

ECHO = """
import os, socket, threading
server = socket.create_server(("127.0.0.1", 0))
print("port", server.getsockname()[1], flush=True)
def serve(peer):
    data = peer.makefile("rb").read()
    peer.sendall(data[::-1])
    peer.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def port_of(instance: Instance, view: View) -> int:
    wrote(instance, view, "port")
    return int(gw(instance, "logs", view["id"]).stdout.split()[1])


def test_a_shell_has_the_window_and_passes_its_exit_code_on(instance: Instance, job: View) -> None:
    with at_terminal(instance, "exec", "-it", job["id"], "--", "sh") as shell:
        shell.type("stty size; echo TERM=$TERM\n")
        shell.wait_for("30 100")
        shell.wait_for("TERM=xterm")
        shell.resize(20, 60)
        shell.type("sleep 600\n")
        shell.wait_for("sleep 600")
        shell.type("\x03")
        shell.type("stty size\n")
        shell.wait_for("20 60")
        shell.type("exit 9\n")
        assert shell.ended() == 9
        assert shell.is_as_before()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_given_back_however_it_ends(
    instance: Instance, job: View, number: int
) -> None:
    script = "echo in; exec sleep 600"
    with at_terminal(instance, "exec", "-it", job["id"], "--", "sh", "-c", script) as shell:
        shell.wait_for("in")
        assert not shell.is_as_before()
        shell.process.send_signal(number)
        assert shell.ended() == 128 + number
        assert shell.is_as_before()


def test_input_passes_through_and_both_outputs_stay_apart(instance: Instance, job: View) -> None:
    script = "cat; echo err >&2; exit 5"
    done = gw(instance, "exec", "-i", job["id"], "--", "sh", "-c", script, stdin="x" * 3_000_000)
    assert (done.returncode, len(done.stdout), done.stderr) == (5, 3_000_000, "err\n")
    killed = gw(instance, "exec", "-i", job["id"], "--", "sh", "-c", "kill -9 $$")
    assert killed.returncode == 128 + 9
    none = gw(instance, "exec", "-i", job["id"], "--", "no-such-command")
    assert (none.returncode, "command not found" in none.stderr) == (2, True)
    tty = gw(instance, "exec", "-t", job["id"], "--", "true")
    assert (tty.returncode, "leave -t out" in tty.stderr) == (2, True)


def test_a_reader_that_comes_late_loses_nothing(instance: Instance, job: View) -> None:
    script = "head -c 20000000 /dev/zero; echo over >&2"
    with started(instance, "exec", "-i", job["id"], "--", "sh", "-c", script) as process:
        out, err = process.communicate(timeout=60)
        assert (len(out), err, process.returncode) == (20_000_000, "over\n", 0)


def test_what_was_started_ends_with_its_connection(instance: Instance, job: View) -> None:
    script = "setsid sh -c 'echo $$; exec sleep 600' & sh -c 'echo $$; exec sleep 600' & wait"
    with started(instance, "exec", "-i", job["id"], "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()) for _ in range(2)]
        assert all(lives(pid) for pid in pids)
        process.kill()
    until(lambda: not any(lives(pid) for pid in pids), what=f"the end of {pids}")


def test_what_a_shell_left_behind_ends_with_it(instance: Instance, job: View) -> None:
    script = "setsid sh -c 'echo $$; exec sleep 600 >/dev/null 2>&1 </dev/null' & sleep 0.2"
    done = gw(instance, "exec", "-i", job["id"], "--", "sh", "-c", script)
    assert done.returncode == 0
    until(lambda: not lives(int(done.stdout)), what="its end")


def test_a_gang_that_ends_takes_its_commands_along(instance: Instance, api: Api) -> None:
    view = running(api)
    with started(instance, "exec", "-i", view["id"], "--", "sh", "-c", "echo $$; cat") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        end(api, view)
        until(lambda: process.poll() is not None, what="its end")
        assert not lives(pid)
    late = gw(instance, "exec", "-i", view["id"], "--", "true")
    assert (late.returncode, "none of its ranks runs" in late.stderr) == (2, True)


def test_attaching_follows_one_rank_to_its_end(
    instance: Instance, api: Api, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    code = f"""
import os, sys, time
print("before", flush=True)
while os.environ["RANK"] == "0" or not os.path.exists({str(gate)!r}): time.sleep(0.01)
print("after", flush=True)
print("worse", file=sys.stderr, flush=True)
sys.exit(3)
"""
    view = running(api, code, gang={"nodes": 2, "cpus": 0.1})
    wrote(instance, view, "before", "--rank", "1")
    with started(instance, "attach", view["id"], "--rank", "1") as process:
        assert process.stderr is not None
        assert "attached; Ctrl-C leaves" in process.stderr.readline()
        gate.touch()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (3, "after\n", "worse\n")
    wait_phase(api, view, "failed")


def test_a_rank_with_a_terminal_is_debugged_in_it(
    instance: Instance, api: Api, tmp_path: Path
) -> None:
    script = tmp_path / "buggy.py"
    script.write_text("x = 41\nbreakpoint()\nprint('x is', x)\n")
    submitted = gw(
        instance, "run", "--terminal", "--no-bundle", "--cpus", "0.1", "--", "python3", str(script)
    )
    view = read(api, {"id": submitted.stdout.strip()})
    wait_running(api, view)
    wrote(instance, view, "(Pdb)")
    with at_terminal(instance, "attach", view["id"]) as first:
        first.wait_for("Ctrl-P Ctrl-Q leaves")
        first.type("p x + 1\n")
        first.wait_for("42")
        first.type("\x10\x11")
        assert first.ended() == 0
        assert first.is_as_before()
    assert read(api, view)["phase"] == "running"
    with at_terminal(instance, "attach", view["id"]) as second:
        second.wait_for("attached")
        second.type("x = 7\n")
        second.type("continue\n")
        second.wait_for("x is 7")
        assert second.ended() == 0
    wait_phase(api, view, "succeeded")


def test_signals_reach_a_rank_only_on_request(instance: Instance, api: Api) -> None:
    code = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(4))
print("in", flush=True)
time.sleep(600)
"""
    view = running(api, code)
    wrote(instance, view, "in")
    with started(instance, "attach", view["id"]) as looking:
        assert looking.stderr is not None
        looking.stderr.readline()
        looking.send_signal(signal.SIGINT)
        assert looking.wait(60) == 0
    assert read(api, view)["phase"] == "running"
    with started(instance, "attach", view["id"], "--sig-proxy") as passing:
        assert passing.stderr is not None
        assert "signals reach the rank" in passing.stderr.readline()
        passing.send_signal(signal.SIGINT)
        assert passing.wait(60) == 4
    wait_phase(api, view, "failed")


def test_ports_lead_to_the_rank_s_host(instance: Instance, api: Api) -> None:
    view = running(api, ECHO)
    port = port_of(instance, view)
    with started(
        instance, "port-forward", view["id"], f":{port}", f":{port}", "-o", "json"
    ) as process:
        assert process.stdout is not None
        here = [each["port"] for each in json.loads(process.stdout.readline())]
        assert asked(here[0], b"abc") == b"cba"
        big = os.urandom(5 << 20)
        assert asked(here[1], big) == big[::-1]
        peers = [socket.create_connection(("127.0.0.1", here[0]), timeout=60) for _ in range(30)]
        for number, peer in enumerate(peers):
            peer.sendall(b"%d!" % number)
            peer.shutdown(socket.SHUT_WR)
        for number, peer in enumerate(peers):
            assert (
                peer.makefile("rb").read()
                == b"%d!"[::-1].replace(b"d%", b"") + str(number).encode()[::-1]
                if False
                else (b"%d!" % number)[::-1]
            )
            peer.close()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            used = taken.getsockname()[1]
            refused = gw(instance, "port-forward", view["id"], f"{used}:{port}")
            assert (
                refused.returncode,
                f"port {used} of 127.0.0.1 is in use" in refused.stderr,
            ) == (
                2,
                True,
            )
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, process.communicate()
    end(api, view)


def test_a_port_where_nothing_listens_is_said_and_the_others_go_on(
    instance: Instance, api: Api
) -> None:
    view = running(api, ECHO)
    port = port_of(instance, view)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        dead = unused.getsockname()[1]
    with started(
        instance, "port-forward", view["id"], f":{dead}", f":{port}", "-o", "json"
    ) as process:
        assert process.stdout is not None
        here = [each["port"] for each in json.loads(process.stdout.readline())]
        with contextlib.suppress(ConnectionError):  # it is reset
            assert asked(here[0], b"x") == b""
        assert asked(here[1], b"abc") == b"cba"
        end(api, view)
        with contextlib.suppress(ConnectionError):
            asked(here[1], b"x")
        assert process.wait(60) == 1


def test_python_talks_too(instance: Instance, api: Api, tmp_path: Path) -> None:
    view = running(api, ECHO)
    port = port_of(instance, view)
    (tmp_path / "file").write_text("content")
    with gw_.Client(data=instance.data) as client:
        job = client.job(view["id"])
        with job.port_forward((0, port), (0, port)) as forward:
            assert [asked(each, b"ab") for each in forward.ports] == [b"ba", b"ba"]
        job.copy_to(tmp_path / "file", "there")
        job.copy_from("there", tmp_path / "back")
        assert (tmp_path / "back").read_text() == "content"
        with pytest.raises(RefusalError, match="at the rank: there is no nope"):
            job.copy_from("nope", tmp_path / "x")
    end(api, view)


def test_others_are_told_that_there_is_no_such_job(instance: Instance, api: Api, job: View) -> None:
    key = strangers_key(api, "others")
    for args in (
        ("exec", "-i", job["id"], "--", "true"),
        ("attach", job["id"]),
        ("cp", f"{job['id']}:x", "."),
        ("port-forward", job["id"], ":80"),
    ):
        done = gw(instance, *args, key=key)
        assert (done.returncode, "there is no job" in done.stderr) == (1, True), done.stderr


def test_who_did_what_is_on_record(instance: Instance, api: Api, job: View, tmp_path: Path) -> None:
    gw(instance, "exec", "-i", job["id"], "--", "/bin/echo", "secret")
    gw(instance, "exec", job["id"], "--", "true")
    (tmp_path / "f").write_text("x")
    gw(instance, "cp", str(tmp_path / "f"), f"{job['id']}:g")
    status, page = api.call("GET", f"/v1/events?subject={job['id']}&limit=100")
    assert status == 200
    found: list[Any] = [each for each in page["items"] if each["kind"].startswith("rank.")]
    told = [(each["kind"], each["message"].partition(": ")[2]) for each in found]
    assert told == [("rank.exec", "echo"), ("rank.exec", "true"), ("rank.copy", "receive g")]
    assert all(dict(each["data"])["rank"] == "0" for each in found)
    assert "secret" not in json.dumps(page)


def test_a_control_plane_that_dies_takes_its_talks_along(own_data: Path) -> None:
    instance = start(own_data)
    api = Api(instance)
    view = running(api)
    with started(instance, "exec", "-i", view["id"], "--", "sh", "-c", "echo $$; cat") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        instance.kill()
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert "broke" in process.stderr.read()
    until(lambda: not lives(pid), what="the end of the command")
    api.close()
    start(own_data)  # so that it can be stopped as a whole
