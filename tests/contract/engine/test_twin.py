"""The conformance suite on the twin's engine, each case a test; and its table in the documentation."""

import asyncio

import pytest

from gigawatt.engine.conformance import CASES, Report
from gigawatt.twin import virtual
from gigawatt.twin.rehearsal import rehearse
from tests.contract.engine.matrix import as_documented, documented


@pytest.fixture(scope="module")
def report() -> Report:
    """One run of the whole suite."""
    return rehearse()


@pytest.mark.parametrize("name", list(CASES))
def test_the_twins_engine_conforms(report: Report, name: str) -> None:
    case = next(case for case in report.cases if case.name == name)
    found, wanted = as_documented(case, "twin")
    assert found == wanted


def test_the_documentation_has_every_case_in_the_order_in_which_they_run() -> None:
    assert list(documented()) == list(CASES)


def test_a_rehearsal_is_the_same_again(report: Report) -> None:
    assert rehearse() == report


def test_virtual_time_passes_by_itself_and_in_order() -> None:
    async def told() -> list[tuple[str, int]]:
        loop, now_ms = asyncio.get_running_loop(), virtual.clock(1_000)
        seen, over = list[tuple[str, int]](), asyncio.Event()
        for seconds, name in ((86_400, "a day"), (2, "two"), (0.25, "a quarter")):
            loop.call_later(seconds, lambda name=name: seen.append((name, now_ms())))
        loop.call_later(90_000, over.set)
        await over.wait()
        return seen

    assert virtual.run(told()) == [("a quarter", 1_250), ("two", 3_000), ("a day", 86_401_000)]
