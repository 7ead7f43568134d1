import json
import math
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from gigawatt import rank
from gigawatt.rank import FILE_BYTES_MAX, METRICS_MAX, _Reporter


def _reporter(tmp_path: Path) -> _Reporter:
    return _Reporter(str(tmp_path), "3")


def _lines(tmp_path: Path, kind: str = "progress") -> list[dict[str, Any]]:
    path = tmp_path / f"rank-3.{kind}"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_outside_gigawatt_nothing_happens_and_nothing_is_asked(tmp_path: Path) -> None:
    assert "GIGAWATT_REPORT_DIR" not in os.environ
    rank.report(step=1, loss=math.nan, tokens=5, anything=2)
    rank.checkpoint(step=1, path=tmp_path / "no-such")
    assert rank.checkpoint_requested() is False
    assert rank.checkpoint_dir() is None
    assert rank.resume_step() is None
    assert rank.resume_path() is None


def test_the_first_report_is_written_at_once_and_the_newest_at_the_end(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    for step in range(1, 50):
        reporter.report(step, 1 / step, 10, {"lr": 0.1})
    assert [line["step"] for line in _lines(tmp_path)] == [1]
    reporter.flush()
    first, last = _lines(tmp_path)
    assert (first["tokens"], first["loss"], first["metrics"]) == (10, 1.0, {"lr": 0.1})
    assert (last["step"], last["tokens"]) == (49, 490)
    assert last["tokens_per_s"] > 0
    reporter.flush()
    assert len(_lines(tmp_path)) == 2


def test_what_is_not_finite_is_unknown(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    reporter.report(1, math.nan, None, {"a": math.inf, "b": 2})
    line = _lines(tmp_path)[0]
    assert (line["loss"], line["metrics"]) == (None, {"a": None, "b": 2.0})
    assert (line["tokens"], line["tokens_per_s"]) == (None, None)


class Scalar:
    """As a tensor of one element is."""

    def __init__(self, value: float) -> None:
        self.fetched = 0
        self._value = value

    def __float__(self) -> float:
        self.fetched += 1
        return self._value


def test_a_tensors_value_is_fetched_only_when_a_line_is_written(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    losses = [Scalar(float(step)) for step in range(10)]
    for step, loss in enumerate(losses):
        reporter.report(step, loss, None, {})
    reporter.flush()
    assert [loss.fetched for loss in losses] == [1] + [0] * 8 + [1]


WRONG: list[tuple[tuple[Any, Any, Any, dict[str, Any]], str]] = [
    (("1", None, None, {}), "step must be an integer, not str"),
    ((1.5, None, None, {}), "step must be an integer, not float"),
    ((True, None, None, {}), "step must be an integer, not bool"),
    ((1, "2.0", None, {}), "loss must be a number, not str"),
    ((1, True, None, {}), "loss must be a number, not bool"),
    ((1, None, 2.0, {}), "tokens must be an integer, not float"),
    ((1, None, None, {"lr": [1]}), "lr must be a number, not list"),
]


@pytest.mark.parametrize(("report", "message"), WRONG)
def test_what_is_no_number_is_a_type_error(
    tmp_path: Path, report: tuple[Any, Any, Any, dict[str, Any]], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        _reporter(tmp_path).report(*report)
    assert _lines(tmp_path) == []


def test_negative_counts_and_too_many_metrics_are_value_errors(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    with pytest.raises(ValueError, match="step must not be negative: -1"):
        reporter.report(-1, None, None, {})
    many = {f"m{number}": 1.0 for number in range(METRICS_MAX + 1)}
    with pytest.raises(ValueError, match="65 metrics in one report; at most 64"):
        reporter.report(1, None, None, many)


def test_every_checkpoint_is_written_with_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c").touch()
    reporter = _reporter(tmp_path)
    for step in (1, 2):
        reporter.checkpoint(step, "c")
    lines = _lines(tmp_path, "checkpoints")
    assert [(line["step"], line["path"]) for line in lines] == [
        (1, f"{tmp_path}/c"),
        (2, f"{tmp_path}/c"),
    ]


def test_numbers_beside_a_checkpoint_are_written_with_it(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    reporter.checkpoint(1, tmp_path, {"val_loss": 0.5, "best": math.inf})
    (line,) = _lines(tmp_path, "checkpoints")
    assert line["metrics"] == {"val_loss": 0.5, "best": None}
    with pytest.raises(TypeError, match="val_loss must be a number"):
        reporter.checkpoint(2, tmp_path, {"val_loss": "low"})


def test_what_was_held_back_is_written_before_a_checkpoint(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    reporter.report(1, None, None, {})
    reporter.report(2, None, None, {})
    reporter.checkpoint(2, tmp_path)
    assert [line["step"] for line in _lines(tmp_path)] == [1, 2]


def test_a_checkpoint_that_is_not_there_is_warned_of_and_not_written(tmp_path: Path) -> None:
    with pytest.warns(RuntimeWarning, match="there is no checkpoint at"):
        _reporter(tmp_path).checkpoint(1, tmp_path / "none")
    assert _lines(tmp_path, "checkpoints") == []


def test_a_request_holds_until_the_checkpoint_that_follows_it(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    request = tmp_path / "checkpoint-requested"
    assert not reporter.checkpoint_requested()
    request.touch()
    assert reporter.checkpoint_requested()
    reporter.checkpoint(1, tmp_path)
    assert not reporter.checkpoint_requested()
    later_ns = request.stat().st_mtime_ns + 1
    os.utime(request, ns=(later_ns, later_ns))
    assert reporter.checkpoint_requested()


def test_a_large_file_is_rotated_by_its_writer(tmp_path: Path) -> None:
    (tmp_path / "rank-3.progress").write_bytes(b"\n" * FILE_BYTES_MAX)
    _reporter(tmp_path).report(1, None, None, {})
    assert len(_lines(tmp_path)) == 1
    assert (tmp_path / "rank-3.progress.old").stat().st_size == FILE_BYTES_MAX


def test_training_goes_on_when_reports_cannot_be_written_and_is_warned_once(
    tmp_path: Path,
) -> None:
    reporter = _reporter(tmp_path / "gone")
    with pytest.warns(RuntimeWarning, match="a report is lost"):
        reporter.report(1, None, None, {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reporter.report(2, None, None, {})
        reporter.flush()


def test_what_a_parent_held_back_is_not_written_by_its_fork(tmp_path: Path) -> None:
    reporter = _reporter(tmp_path)
    reporter.report(1, None, None, {})
    reporter.report(2, None, None, {})
    reporter.forked()
    reporter.flush()
    assert [line["step"] for line in _lines(tmp_path)] == [1]
