import os
import signal
import subprocess

import pytest

from gigawatt.engine.supervisor import tree

pytestmark = pytest.mark.slow


def test_a_process_is_known_by_pid_and_start() -> None:
    me = tree.identify(os.getpid())
    assert me is not None
    assert me.pid == os.getpid()
    assert tree.identify(os.getpid()) == me


def test_one_that_has_ended_is_not_there_also_before_it_is_waited_for() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert tree.identify(child.pid) is None
    child.wait()
    assert tree.identify(child.pid) is None


def test_descendants_are_found_parents_first_and_can_be_signalled() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sleep 300 & echo $!; wait"], stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout is not None
        sleeper = int(shell.stdout.readline())
        assert tree.descendants([shell.pid]) == [shell.pid, sleeper]
        assert tree.send(signal.SIGKILL, [shell.pid, sleeper]) == 2
    assert shell.returncode == -signal.SIGKILL


def test_a_marker_is_found_by_its_beginning_and_its_node() -> None:
    environ = {tree.MARKER: "i1/job-1.2", tree.NODE_VARIABLE: "a"}
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environ) as marked:
        assert tree.all_marked(marker="i1/", node="a") == [marked.pid]
        assert tree.all_marked(marker="i1/", node="b") == []
        assert not tree.marked(marked.pid, marker="i2/", node="a")
        assert tree.read_environ(marked.pid) == environ
