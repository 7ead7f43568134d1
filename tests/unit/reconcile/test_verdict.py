"""Verdicts from evidence: who pays for an attempt that ended."""

import pytest

from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, RankStatus, Verdict
from gigawatt.reconcile.verdict import evidence_of_exit, judge


def a_rank(number: int = 0, **ended: object) -> RankStatus:
    fields: dict[str, object] = {"ended_ms": 1_000, **ended}
    return RankStatus(rank=number, node=f"n{number}", pid=1, **fields)  # pyright: ignore[reportArgumentType] - a test's shorthand


def an_attempt(*ranks: RankStatus, stop_cause: Verdict | None = None) -> Attempt:
    facts = [evidence_of_exit(rank, oom=False, lost=False) for rank in ranks]
    return Attempt(
        n=1,
        phase=AttemptPhase.STOPPING,
        nodes=tuple(rank.node for rank in ranks),
        ranks=ranks,
        epoch=1,
        placed_ms=0,
        stop_cause=stop_cause,
        evidence=tuple(fact for fact in facts if fact),
    )


def test_every_rank_that_exits_with_zero_is_a_success() -> None:
    assert judge(an_attempt(a_rank(0, exit_code=0), a_rank(1, exit_code=0))) is Verdict.SUCCESS


@pytest.mark.parametrize("code", [1, 2, 77, 127])
def test_an_exit_code_is_the_users(code: int) -> None:
    assert judge(an_attempt(a_rank(exit_code=code))) is Verdict.USER


@pytest.mark.parametrize("signal", [9, 15, 1])
def test_a_signal_from_outside_is_the_infrastructures(signal: int) -> None:
    assert judge(an_attempt(a_rank(signal=signal))) is Verdict.INFRASTRUCTURE


@pytest.mark.parametrize("signal", [11, 6, 8, 4])
def test_a_crash_of_the_programs_own_making_is_the_users(signal: int) -> None:
    assert judge(an_attempt(a_rank(signal=signal))) is Verdict.USER


def test_a_shell_that_reports_its_killed_child_is_the_infrastructures() -> None:
    assert judge(an_attempt(a_rank(exit_code=137))) is Verdict.INFRASTRUCTURE


def test_peers_that_fail_because_one_was_killed_do_not_charge_the_user() -> None:
    killed = a_rank(1, signal=9, ended_ms=2_000)
    peer = a_rank(0, exit_code=1, ended_ms=1_990)
    assert judge(an_attempt(peer, killed)) is Verdict.INFRASTRUCTURE


def test_a_kill_long_after_the_program_failed_does_not_excuse_it() -> None:
    failed = a_rank(0, exit_code=1, ended_ms=1_000)
    killed = a_rank(1, signal=9, ended_ms=60_000)
    assert judge(an_attempt(failed, killed)) is Verdict.USER


def test_a_stop_that_was_asked_for_keeps_its_cause() -> None:
    attempt = an_attempt(a_rank(signal=15), stop_cause=Verdict.TIMEOUT)
    assert judge(attempt) is Verdict.TIMEOUT


def test_work_that_finished_before_the_stop_reached_it_is_a_success() -> None:
    attempt = an_attempt(a_rank(exit_code=0), stop_cause=Verdict.CANCELLED)
    assert judge(attempt) is Verdict.SUCCESS


def test_running_out_of_its_own_memory_is_the_users() -> None:
    fact = evidence_of_exit(a_rank(signal=9), oom=True, lost=False)
    assert fact == Evidence(
        at_ms=1_000, what="oom", detail="it used more memory than its limit", rank=0, node="n0"
    )


def test_an_end_that_nothing_explains_is_not_charged_to_the_user() -> None:
    attempt = an_attempt(a_rank())
    assert judge(attempt) is Verdict.INFRASTRUCTURE
