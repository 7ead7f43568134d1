"""Files are read as they are meant, or refused with file, line, field and what is allowed."""

import gzip
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.twin.openb import FAULTS_MAX, NodeRow, PodRow, read_nodes, read_pods
from tests.unit.twin.pods import NODES, PODS, drawn_nodes, drawn_pods, nodes_csv, pods_csv


def refusal_of(path: Path, text: str, *, nodes: bool = False) -> RefusalError:
    path.write_text(text)
    with pytest.raises(RefusalError) as refused:
        (read_nodes if nodes else read_pods)(path)
    return refused.value


def test_what_was_written_is_read_plain_and_from_gzip(tmp_path: Path) -> None:
    nodes, pods = drawn_nodes(1), drawn_pods(1)
    (tmp_path / "nodes.csv").write_text(nodes_csv(nodes))
    (tmp_path / "pods.csv.gz").write_bytes(gzip.compress(pods_csv(pods).encode()))
    assert read_nodes(tmp_path / "nodes.csv") == nodes
    assert read_pods(tmp_path / "pods.csv.gz") == pods


def test_columns_may_stand_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "pods.csv"
    path.write_text("qos,gpu_milli,num_gpu,memory_mib,cpu_milli,name\nLS,460,1,12288,6000,one\n")
    assert read_pods(path) == (
        PodRow(name="one", cpu_milli=6000, memory_mib=12288, gpus=1, gpu_milli=460, models=()),
    )


def test_a_node_without_gpus_needs_no_model(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text(f"{NODES}\na,1000,1,0,\nb,1000,1,1,T4\n")
    bare = NodeRow(name="a", cpu_milli=1000, memory_mib=1, gpus=0, model="")
    assert read_nodes(path)[0] == bare


@pytest.mark.parametrize(
    ("line", "field", "problem"),
    [
        ("a,x,1,1,460,", "cpu_milli", "is 'x'; allowed is a whole number from 0 to 1000000000000"),
        ("a,1,-1,1,460,", "memory_mib", "is '-1'; allowed is a whole number from 0 to"),
        ("a,1,1,1,1001,", "gpu_milli", "is '1001'; allowed is a whole number from 0 to 1000"),
        ("a,1,1,2,500,", "gpu_milli", "is 500; several GPUs are asked for whole: 1000"),
        ("a,1,1,1,0,", "gpu_milli", "is 0; of one GPU, 1 to 1000 may be asked for"),
        ("a,1,1,0,500,", "gpu_milli", "is 500; with num_gpu 0 only 0 is allowed"),
        ("a,1,1,65,1000,", "num_gpu", "is '65'; allowed is a whole number from 0 to 64"),
        ("a,1,1", "num_gpu", "is ''; allowed is a whole number from 0 to 64"),
        (",1,1,1,460,", "name", "is empty; a name is needed"),
    ],
)
def test_a_bad_pod_is_told_by_file_line_field_and_what_is_allowed(
    tmp_path: Path, line: str, field: str, problem: str
) -> None:
    path = tmp_path / "pods.csv"
    error = refusal_of(path, f"{PODS}\nok,1,1,1,460,\n{line}\n")
    assert error.field == field
    assert error.detail.startswith(f"{path}: line 3: {field} {problem}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("b,1,1,2,", "line 3: model is empty; a node with GPUs needs the model of them"),
        ("b,1,1,many,T4", "line 3: gpu is 'many'; allowed is a whole number from 0 to 64"),
        ("a,1,1,1,T4", "node 'a' stands there twice; each `sn` is of one node"),
    ],
)
def test_a_bad_node_is_told_too(tmp_path: Path, line: str, expected: str) -> None:
    error = refusal_of(tmp_path / "nodes.csv", f"{NODES}\na,1,1,1,T4\n{line}\n", nodes=True)
    assert expected in error.detail


def test_every_fault_is_told_up_to_a_limit(tmp_path: Path) -> None:
    lines = "\n".join(["a,1,1,1,9999,"] * 50)
    error = refusal_of(tmp_path / "pods.csv", f"{PODS}\n{lines}\n")
    assert len(error.faults) == FAULTS_MAX
    assert "line 21" in error.faults[-1].detail


def test_a_missing_column_is_named_with_the_one_that_may_be_meant(tmp_path: Path) -> None:
    error = refusal_of(tmp_path / "pods.csv", "name,cpu_mili,memory_mib,num_gpu,gpu_milli\n")
    assert "line 1: no column 'cpu_milli'; needed are name, cpu_milli," in error.detail
    assert error.hint == "did you mean 'cpu_milli' where it says 'cpu_mili'?"


@pytest.mark.parametrize("text", ["", f"{PODS}\n", f"{PODS}\na,1,1,0,0,\n"])
def test_a_list_without_work_for_gpus_is_refused(tmp_path: Path, text: str) -> None:
    refusal_of(tmp_path / "pods.csv", text)


def test_nodes_without_gpus_are_refused(tmp_path: Path) -> None:
    error = refusal_of(tmp_path / "nodes.csv", f"{NODES}\na,1,1,0,\n", nodes=True)
    assert error.detail.endswith("no node has a GPU")


def test_what_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match="cannot read"):
        read_pods(tmp_path / "none.csv")
    for name, data in (("a.csv", b"\xff\xfe\x00"), ("b.csv.gz", b"plain"), ("c.csv.gz", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RefusalError):
            read_pods(tmp_path / name)
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(PODS.encode() * 100)[:40])
    with pytest.raises(RefusalError, match="is not CSV text"):
        read_pods(tmp_path / "d.csv.gz")
