import gzip
from pathlib import Path

import pytest

from gigawatt.model.gang import Shape
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.work import Work

HEADER = "; MaxNodes: 4\n;\n"
ONE = "1 100 0 50 2 -1 -1 3 600 2000 1 7 1 -1 1 -1 -1 -1\n"


def written(folder: Path, text: str, name: str = "a.swf") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_job_is_places_of_a_core_each_with_what_was_asked_for(tmp_path: Path) -> None:
    trace = read_swf(written(tmp_path, HEADER + ONE))
    core = Resources(milli_cpu=1000, memory_bytes=2000 * 1024)
    shape = Shape(nodes_min=3, nodes_max=3, stacked=True, per_node=core)
    assert trace.works == (
        Work(at_ms=0, run_ms=50_000, limit_ms=600_000, shape=shape, user="user-7"),
    )


def test_where_nothing_was_asked_for_what_was_used_counts(tmp_path: Path) -> None:
    line = "1 100 0 50 2 -1 300 -1 -1 -1 1 7 1 -1 1 -1 -1 -1\n"
    work = read_swf(written(tmp_path, line)).works[0]
    assert (work.shape.nodes_min, work.limit_ms) == (2, 0)
    assert work.shape.per_node.memory_bytes == 300 * 1024


def test_jobs_that_never_ran_are_counted_and_left_out(tmp_path: Path) -> None:
    never = "2 110 -1 -1 -1 -1 -1 4 600 -1 5 7 1 -1 1 -1 -1 -1\n"
    trace = read_swf(written(tmp_path, ONE + never))
    assert (len(trace.works), trace.skipped) == (1, 1)


def test_jobs_come_in_the_order_of_their_times_which_count_from_the_first(tmp_path: Path) -> None:
    later = ONE.replace("1 100 ", "2 90 ", 1)
    works = read_swf(written(tmp_path, ONE + later)).works
    assert [work.at_ms for work in works] == [0, 10_000]
    assert len(read_swf(written(tmp_path, ONE + later), jobs_max=1).works) == 1


def test_a_packed_trace_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "a.swf.gz"
    file.write_bytes(gzip.compress(ONE.encode()))
    assert len(read_swf(file).works) == 1


@pytest.mark.parametrize(
    ("text", "finding", "allowed"),
    [
        (ONE + "1 2 3\n", r"a.swf, line 2: the line has 3 fields", "18, apart by spaces"),
        (
            HEADER + ONE.replace(" 50 ", " soon ", 1),
            r"line 3: run_time \(field 4\) is 'soon'",
            "a number; -1 for unknown",
        ),
        (
            ONE.replace(" 600 ", " -5 ", 1),
            r"line 1: requested_time \(field 9\) is -5",
            "-1 for unknown, to 1099511627776",
        ),
        (
            ONE.replace("1 100 ", "1 -1 ", 1),
            r"line 1: submit_time \(field 2\) is before the trace begins",
            "0 or more seconds",
        ),
    ],
)
def test_a_wrong_line_is_refused_with_its_number_its_field_and_what_is_allowed(
    tmp_path: Path, text: str, finding: str, allowed: str
) -> None:
    with pytest.raises(RefusalError, match=finding) as refused:
        read_swf(written(tmp_path, text))
    assert refused.value.hint == f"allowed: {allowed}"


def test_what_is_no_file_no_text_or_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match="there is no file"):
        read_swf(tmp_path / "none.swf")
    (tmp_path / "b.swf").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(RefusalError, match="is not text"):
        read_swf(tmp_path / "b.swf")
    (tmp_path / "c.swf.gz").write_bytes(gzip.compress(ONE.encode() * 99)[:-20])
    with pytest.raises(RefusalError, match="cannot read"):
        read_swf(tmp_path / "c.swf.gz")
