"""The conformance suite on the local engine, each case a test."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.engine.conformance import CASES, Report, run
from gigawatt.engine.conformance.local import local_faults
from gigawatt.engine.local import LocalEngine, shut_down_supervisors
from gigawatt.engine.local.walls import probe_walls
from tests.contract.engine.matrix import as_documented

pytestmark = pytest.mark.slow

WALLS = probe_walls(nodes=2)
LACKING = {f"isolation-{kind}" for kind in ("process", "user") if kind not in WALLS.classes}


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    """One run of the whole suite."""
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        data = Path(directory)

        yield asyncio.run(
            run(lambda: LocalEngine(data, nodes=2, walls=WALLS), faults=local_faults())
        )
        assert asyncio.run(shut_down_supervisors(data, grace_s=0)) == []


@pytest.mark.parametrize("name", list(CASES))
def test_the_local_engine_conforms(report: Report, name: str) -> None:
    case = next(case for case in report.cases if case.name == name)
    if name in LACKING:
        pytest.skip(case.evidence)
    found, wanted = as_documented(case, "local")
    assert found == wanted


def test_a_report_is_json_with_a_result_and_evidence_for_each_case(report: Report) -> None:
    raw = report.as_json()
    assert raw["engine"] == "local"
    assert raw["passed"] is True
    assert [case["name"] for case in raw["cases"]] == list(CASES)
    assert all(set(case) == {"name", "result", "evidence"} for case in raw["cases"])


def test_only_the_cases_asked_for_run_and_an_unknown_name_is_refused(tmp_path: Path) -> None:
    async def chosen() -> Report:
        return await run(lambda: LocalEngine(tmp_path), only=("unknown-node-is-refused",))

    report = asyncio.run(chosen())
    assert asyncio.run(shut_down_supervisors(tmp_path)) == []
    assert [case.name for case in report.cases] == ["unknown-node-is-refused"]
    with pytest.raises(KeyError, match="no-such-case"):
        asyncio.run(run(lambda: LocalEngine(tmp_path), only=("no-such-case",)))
