from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.twin.cluster import read_cluster


def test_a_size_is_nodes_by_cores_with_memory_by_core() -> None:
    nodes = read_cluster("3x8", gpus=False)
    assert [node.id for node in nodes] == ["node-0", "node-1", "node-2"]
    assert nodes[0].total.vector() == (0, 8000, 12_000_000 * 1024)


def test_a_size_may_say_memory_and_may_count_gpus() -> None:
    assert read_cluster("1x8x16GiB", gpus=False)[0].total.memory_bytes == 16 << 30
    assert read_cluster("1x4", gpus=True)[0].total.milli_gpu == 4000


def test_a_file_has_groups_of_nodes(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        '[[nodes]]\nnodes = 2\ncores = 64\ngpus = 8\ngpu_kind = "b200"\nmemory = "1TiB"\n'
        "nodes_per_rack = 2\n[[nodes]]\nnodes = 1\ncores = 4\n"
    )
    nodes = read_cluster(str(file), gpus=False)
    assert [node.total.milli_gpu for node in nodes] == [8000, 8000, 0]
    assert (nodes[1].gpus[0].kind, nodes[1].topology[4]) == ("b200", "g0-rack0")


@pytest.mark.parametrize(
    ("text", "finding", "hint"),
    [
        ("nodes = 1", "it has no [[nodes]]", "write NODESxCORES"),
        ("[[nodes]]\nnode = 1", "nodes[0].node is not a known field", "did you mean 'nodes'?"),
        ("[[nodes]]\nnodes = 1", "nodes[0].cores is missing", "from 1 to 4096"),
        ("[[nodes]]\nnodes = 0\ncores = 1", "nodes[0].nodes is 0", "from 1 to 1000000"),
        ("[[nodes]]\nnodes = 1\ncores = 1\nmemory = 'much'", "nodes[0].memory is not", "GiB"),
        ("[[nodes]", "is not TOML", "NODESxCORES"),
        ("racks = 1", "racks is not a known field", "nodes"),
    ],
)
def test_a_wrong_file_is_refused_with_the_field_and_what_is_allowed(
    tmp_path: Path, text: str, finding: str, hint: str
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(RefusalError) as refused:
        read_cluster(str(file), gpus=False)
    assert finding in refused.value.detail
    assert hint in refused.value.hint


@pytest.mark.parametrize("size", ["0x8", "8x0", "1024", "2x8xmuch", "none.toml"])
def test_what_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(RefusalError):
        read_cluster(size, gpus=False)
