"""Hosts whose clocks are off by minutes, in front and behind, on the local engine."""

import asyncio
import re
from pathlib import Path

import pytest

from gigawatt.engine.conformance import run
from gigawatt.engine.local import LocalEngine, shut_down_supervisors
from tests.wrong_clock import wrong_by

pytestmark = pytest.mark.slow

CASES = ("times-are-the-leaders", "log-is-read-after-release")


@pytest.mark.parametrize("seconds", [-420, 300])
def test_what_is_told_is_in_the_leaders_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    for name, value in wrong_by(seconds).items():
        monkeypatch.setenv(name, value)
    report = asyncio.run(run(lambda: LocalEngine(tmp_path, nodes=2), only=CASES, scratch=tmp_path))
    assert asyncio.run(shut_down_supervisors(tmp_path, grace_s=0)) == []
    assert report.passed, report
    (evidence,) = [case.evidence for case in report.cases if case.name == CASES[0]]
    (found,) = re.findall(r"up to ([\d.]+) s off", evidence)
    assert abs(float(found) - abs(seconds)) < 30  # the clock was indeed wrong
