from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.twin.traces.table import PHILLY, Mapped, mapping_of, read_table

PHILLY_TEXT = """timestamp,duration,num_gpus,gpu_time,cluster
2017-10-09 07:01:55,66.0,1,66.0,11cb48
2017-10-09 06:13:03,2951.5,12,2951.0,6214e9
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "a.csv"
    file.write_text(text)
    return file


def test_phillys_shared_form_is_read_by_time_with_its_clusters_as_projects(tmp_path: Path) -> None:
    mapped = Mapped(columns=PHILLY, node_gpus=8)
    first, second = read_table(written(tmp_path, PHILLY_TEXT), mapped).works
    assert (first.at_ms, first.run_ms, first.project) == (0, 2_951_500, "6214e9")
    assert (first.shape.nodes_min, first.shape.per_node.milli_gpu) == (2, 6000)
    assert second.at_ms == 48 * 60_000 + 52_000
    assert (second.shape.nodes_min, second.shape.per_node.milli_gpu) == (1, 1000)


def test_a_mapping_says_which_column_is_what(tmp_path: Path) -> None:
    text = "t,took,most,c,m,n\n5,10,60,2.5,1GiB,3\n"
    pairs = ("at=t", "run=took", "limit=most", "cpus=c", "memory=m", "nodes=n")
    work = read_table(written(tmp_path, text), Mapped(columns=mapping_of(pairs))).works[0]
    assert (work.at_ms, work.run_ms, work.limit_ms) == (0, 10_000, 60_000)
    assert (work.shape.nodes_min, work.shape.per_node.vector()) == (3, (0, 2500, 1 << 30))


@pytest.mark.parametrize(
    ("line", "finding", "allowed"),
    [
        ("noon,1,1,1,x", "line 2: timestamp is 'noon'", "seconds, or a time"),
        ("5,-1,1,1,x", "line 2: duration is '-1'", "seconds, 0 or more"),
        ("5,nan,1,1,x", "line 2: duration is 'nan'", "seconds, 0 or more"),
        ("5,1,1.5,1,x", "line 2: num_gpus is 1.5", "a whole number, 0 or more"),
        ("5,1,1", "line 2: the line has 3 fields", "5, as in the header"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number_its_field_and_what_is_allowed(
    tmp_path: Path, line: str, finding: str, allowed: str
) -> None:
    file = written(tmp_path, PHILLY_TEXT.splitlines()[0] + "\n" + line + "\n")
    with pytest.raises(RefusalError, match=finding) as refused:
        read_table(file, Mapped(columns=PHILLY))
    assert allowed in refused.value.hint


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match="line 1: run is to be column duration") as refused:
        read_table(written(tmp_path, "timestamp,num_gpus,cluster\n"), Mapped(columns=PHILLY))
    assert refused.value.hint == "allowed: timestamp, num_gpus, cluster"


def test_a_mapping_that_is_none_is_refused() -> None:
    with pytest.raises(RefusalError, match="is not FIELD=COLUMN") as refused:
        mapping_of(("gpu=n",))
    assert refused.value.hint == "did you mean 'gpus'?"
    with pytest.raises(RefusalError, match="does not say which column is run"):
        mapping_of(("at=t",))
