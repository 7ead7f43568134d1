"""What was seen reaches the cycle in the order in which it was seen."""

from gigawatt.control.intake import Intake
from gigawatt.model.attempt import Progress
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, RankExited, RankProgress, RankStarted
from tests.loop import Loop, a_spec
from tests.machines import a_report

KEY = AttemptKey(gang="job-1", attempt=1)


def progress(step: int, *, rank: int = 0) -> RankProgress:
    return RankProgress(key=KEY, rank=rank, progress=Progress(at_ms=step, step=step))


def started() -> RankStarted:
    return RankStarted(at_ms=0, key=KEY, rank=0, pid=1, address="127.0.0.1")


def exited() -> RankExited:
    return RankExited(at_ms=9, key=KEY, rank=0, exit_code=0)


def test_the_newest_progress_of_each_rank_stays_between_its_start_and_its_exit() -> None:
    intake = Intake()
    for seen in (started(), progress(1), progress(1, rank=1), progress(2), exited()):
        intake.add(seen)
    assert intake.take() == [started(), progress(1, rank=1), progress(2), exited()]
    assert intake.take() == []


def test_progress_alone_does_not_press() -> None:
    intake = Intake()
    intake.add(progress(1))
    assert intake
    assert not intake.presses
    intake.add(exited())
    assert intake.presses
    intake.take()
    assert not intake
    assert not intake.presses


def test_a_job_that_reports_and_ends_at_once_keeps_what_it_reported() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    intake = Intake()
    for seen in (progress(7), exited(), AttemptGone(at_ms=9, key=KEY)):
        intake.add(seen)
    loop.step(intake.take())
    kept = loop.job().progress
    assert kept is not None
    assert kept.step == 7
