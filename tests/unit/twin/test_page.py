"""The page of a run: whole, escaped, and with nothing in it that would be fetched."""

import xml.etree.ElementTree as ET
from collections import Counter

from gigawatt.twin.charts import Band, Frame, lasting, lines, short, stacked
from gigawatt.twin.happenings import Fails, Timing
from gigawatt.twin.history import SPANS_MAX, History
from gigawatt.twin.page import Shown, page
from gigawatt.twin.run import Scenario, run
from tests.unit.twin.sites import gpu_site, gpu_work

NASTY = "<script>alert('x')</script>"
FRAME = Frame(title="a & b", about="c < d", unit="%", span_s=60, spans=2)


def played(*, project: str = "vision", jobs: int = 20) -> Shown:
    works = [gpu_work(at * 40, 100, gpus=1 + at % 8, project=project) for at in range(jobs)]
    history = History()
    scenario = Scenario(
        nodes=gpu_site(1),
        workload=works,
        faults=((300_000, Fails(nodes=("node-0",), repair_ms=60_000)),),
        timing=Timing(checkpoint_ms=30_000),
    )
    return Shown(name=NASTY, report=run(scenario, history), history=history)


def test_every_span_sums_to_what_is_installed() -> None:
    shown = played()
    spans = shown.history.classes
    assert len(spans) > 10
    for span in spans[:-1]:
        assert sum(span.values()) == 8000 * shown.history.span_ms
        assert min(span.values()) >= 0


def test_what_a_history_has_of_lost_work_is_what_the_report_has() -> None:
    shown = played()
    redone = sum(shown.history.classes, Counter[str]())["redone"] / 1_000_000
    assert shown.report.lost_work_gpu_s > 0
    assert abs(redone - shown.report.lost_work_gpu_s) < 1


def test_a_long_run_has_no_more_spans_than_a_short_one() -> None:
    history = History()
    works = (gpu_work(0, 10), gpu_work(90 * 86_400, 10))
    run(Scenario(nodes=gpu_site(1), workload=works), history)
    assert SPANS_MAX // 2 <= len(history.classes) <= SPANS_MAX
    assert sum(sum(span.values()) for span in history.classes) == 8000 * (90 * 86_400 + 10) * 1000


def test_names_are_escaped_and_nothing_is_fetched_or_run() -> None:
    text = page([played(project="a-b"), played()], title=NASTY)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    parts = list(ET.fromstring(text).iter())
    assert not {"script", "link", "img", "iframe", "object"} & {part.tag for part in parts}
    assert not {"src", "href", "style", "onload"} & {name for part in parts for name in part.attrib}
    assert "url(" not in text
    assert "@import" not in text


def test_every_chart_says_what_it_is_and_has_its_numbers_beside_it() -> None:
    text = page([played()], title="a run")
    figures = list(ET.fromstring(text).iter("figure"))
    assert len(figures) == 3
    for figure in figures:
        assert [part.tag for part in figure] == ["figcaption", "svg", "details"]
        svg, details = figure[1], figure[2]
        assert svg.get("role") == "img"
        assert [part.tag for part in svg][:2] == ["title", "desc"]
        assert list(details.iter("td"))
    assert "prefers-color-scheme:dark" in text


def test_a_run_of_nothing_is_a_page_too() -> None:
    history = History()
    report = run(Scenario(nodes=gpu_site(1), workload=()), history)
    assert "<h1>nothing</h1>" in page(
        [Shown(name="x", report=report, history=history)], title="nothing"
    )


def test_charts_are_well_formed_and_stay_inside() -> None:
    bands = [Band(name="one & two", css="c-idle", values=(50.0, 100.0)), Band(name="b", css="l0", values=(50.0,))]  # fmt: skip
    for chart in (stacked(FRAME, bands), lines(FRAME, bands)):
        svg = ET.fromstring(chart)
        assert svg.find("title") is not None
        for shape in svg:
            for corner in (shape.get("points") or "").split():
                x, y = map(float, corner.split(","))
                assert 0 <= x <= 640
                assert 0 <= y <= 220


def test_numbers_and_times_are_short() -> None:
    assert [short(each) for each in (0, 12.345, 1500, 2.5e6)] == ["0", "12.3", "1.5k", "2.5M"]
    assert [lasting(each) for each in (5, 90, 7200, 172_800)] == ["5 s", "1.5 min", "2 h", "2 d"]
