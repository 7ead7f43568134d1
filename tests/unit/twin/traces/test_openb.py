"""openb's pods as a workload in time, and its nodes as a site."""

import gzip
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.cluster import read_cluster
from gigawatt.twin.run import Scenario, run
from gigawatt.twin.traces.openb import read_openb

PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
b,4000,2048,2,1000,T4|P100,LS,Running,50,170,60
a,6000,1024,1,460,,BE,Succeeded,10,40,10
never,6000,1024,1,460,,BE,Failed,20,40,
cores,500,0,0,0,,BE,Running,70,75,71
"""
NODES = """sn,cpu_milli,memory_mib,gpu,model
n2,8000,4096,1,G2
n1,64000,8192,2,P100
"""


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return file


def test_pods_come_when_they_were_created_and_run_as_long_as_they_did(tmp_path: Path) -> None:
    trace = read_openb(written(tmp_path, "pods.csv.gz", PODS))
    assert trace.skipped == 1
    assert [(work.at_ms, work.run_ms) for work in trace.works] == [
        (0, 30_000),
        (40_000, 110_000),
        (60_000, 4_000),
    ]
    part, several, cores = (work.shape for work in trace.works)
    assert part.per_node.vector() == (460, 6000, 1 << 30)
    assert (several.per_node.milli_gpu, several.gpu_kinds) == (2000, ("P100", "T4"))
    assert cores.per_node.vector() == (0, 500, 0)


def test_a_list_of_nodes_is_a_cluster_on_which_it_is_played(tmp_path: Path) -> None:
    nodes = read_cluster(str(written(tmp_path, "nodes.csv", NODES)), gpus=True)
    assert [(node.id, len(node.gpus)) for node in nodes] == [("n1", 2), ("n2", 1)]
    works = read_openb(written(tmp_path, "pods.csv", PODS)).works
    report = run(Scenario(nodes=nodes, workload=works, policy=POLICIES["fgd"]))
    assert (report.jobs_completed, report.wait_s.mean) == (3, 0.0)


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ("x,1,1,1,460,,LS,Running,noon,2,1", "creation_time", "line 2: creation_time is 'noon'"),
        ("x,1,1,1,460,,LS,Running,,2,1", "creation_time", "line 2: creation_time is ''"),
        ("x,1,1,1,460,,LS,Running,1,2,3", "deletion_time", "is before scheduled_time"),
        ("x,1,1,1,2000,,LS,Running,1,2,1", "gpu_milli", "a whole number from 0 to 1000"),
    ],
)
def test_a_wrong_line_is_refused(tmp_path: Path, line: str, field: str, said: str) -> None:
    with pytest.raises(RefusalError) as caught:
        read_openb(written(tmp_path, "pods.csv", PODS.splitlines()[0] + "\n" + line + "\n"))
    assert (caught.value.field, said in caught.value.detail) == (field, True)
