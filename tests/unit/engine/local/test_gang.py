from typing import Any

from gigawatt.engine.local.gang import Failure, Gang
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, LaunchAccepted, RankExited, RankStarted

KEY = AttemptKey(gang="job-1", attempt=2)


def _gang() -> Gang:
    return Gang(key=KEY, nodes=("a", "b"))


def _started(rank: int) -> dict[str, Any]:
    return {"kind": "started", "at_ms": 5, "rank": rank, "pid": 100 + rank, "address": "x"}


def _exited(rank: int) -> dict[str, Any]:
    return {
        "kind": "exited",
        "at_ms": 8,
        "rank": rank,
        "exit_code": 0,
        "signal": None,
        "oom": False,
        "asked": False,
        "lost": False,
        "last_lines": [],
    }


GONE: dict[str, Any] = {"kind": "gone", "at_ms": 9}
STARTED_0 = RankStarted(at_ms=5, key=KEY, rank=0, pid=100, address="x")
EXITED_0 = RankExited(at_ms=8, key=KEY, rank=0, exit_code=0)


def test_nothing_is_told_before_the_launch_is_whole() -> None:
    gang = _gang()
    assert gang.take("a", _started(0)) == []
    assert gang.accept(at_ms=6) == [LaunchAccepted(at_ms=6, key=KEY), STARTED_0]
    assert gang.take("a", _exited(0)) == [EXITED_0]


def test_starts_and_exits_are_told_once() -> None:
    gang = _gang()
    gang.accept(at_ms=6)
    assert gang.take("a", _exited(0)) == [EXITED_0]
    assert gang.take("a", _exited(0)) == []


def test_the_end_is_told_when_nothing_is_left_on_any_node() -> None:
    gang = _gang()
    gang.accept(at_ms=6)
    assert gang.take("a", GONE) == []
    assert gang.take("b", {**GONE, "at_ms": 12}) == [AttemptGone(at_ms=12, key=KEY)]
    assert gang.take("b", GONE) == []
    assert gang.told_again() == [AttemptGone(at_ms=9, key=KEY)]


def test_a_node_without_it_counts_as_empty_once_the_launch_was_told() -> None:
    gang = _gang()
    gang.accept(at_ms=6)
    gang.take("a", GONE)
    assert gang.not_found("b", at_ms=20) == [AttemptGone(at_ms=20, key=KEY)]


def test_what_one_node_never_started_is_cut_short() -> None:
    gang = _gang()
    gang.found("a", {"master_port": 7, "port": 0, "entries": [_started(0)]})
    assert gang.not_found("b", at_ms=20) == []
    assert (gang.cut_short, gang.gone, gang.gone_where_found) == (True, False, False)
    gang.take("a", GONE)
    assert gang.gone_where_found
    assert gang.let_out(at_ms=21) == [STARTED_0, AttemptGone(at_ms=21, key=KEY)]


def test_a_node_that_is_found_to_have_it_after_all_makes_it_whole() -> None:
    gang = _gang()
    gang.not_found("a", at_ms=1)
    gang.found("a", {"master_port": 7, "port": 8, "entries": []})
    assert not gang.cut_short
    assert (gang.master_port, gang.port) == (7, 8)


def test_the_first_failure_is_the_reason() -> None:
    gang = _gang()
    gang.take("a", {"kind": "failure", "at_ms": 1, "reason": "no memory", "user": False})
    gang.take("b", {"kind": "failure", "at_ms": 1, "reason": "later", "user": True})
    assert gang.failure == Failure(reason="no memory", node="a")
