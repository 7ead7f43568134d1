"""What slurmrestd of several versions says, as recorded (22.05, 25.11) or as its manual shows it (24.11)."""

from typing import Any

import pytest

from gigawatt.engine.slurm.batch import Batch
from gigawatt.engine.slurm.shapes import (
    errors_of,
    job_of,
    node_of,
    number,
    option_fields,
    partitions_of,
    submission,
)
from gigawatt.engine.slurm.tables import SlurmJob

NODE_38: dict[str, Any] = {
    "name": "n1",
    "address": "127.0.0.1",
    "hostname": "vm",
    "state": "mixed",
    "state_flags": ["DRAIN"],
    "cpus": 64,
    "alloc_cpus": 4,
    "idle_cpus": 60,
    "real_memory": 1000000,
    "alloc_memory": 400,
    "features": "h100,rack1",
    "gres": "gpu:h100:8",
    "gres_used": "gpu:h100:2(IDX:0-1)",
    "partitions": ["batch", "half"],
    "reason": "bad dimm",
    "reason_changed_at": 0,
    "tres_used": None,
}
NODE_42: dict[str, Any] = {
    "features": [],
    "active_features": [],
    "gres": "gpu:fake1:1(S:0),gpu:fake2:1(S:0)",
    "gres_used": "gpu:fake1:0(IDX:N/A),gpu:fake2:0(IDX:N/A)",
    "last_busy": {"set": True, "infinite": False, "number": 1722009794},
    "name": "host1",
    "address": "localhost",
    "hostname": "omicronpersei8",
    "state": ["IDLE"],
    "partitions": ["debug"],
    "real_memory": 127927,
    "reason": "",
    "alloc_memory": 0,
    "alloc_cpus": 0,
    "alloc_idle_cpus": 32,
    "cpus": 32,
    "version": "24.11.0-0rc1",
}
NODE_44: dict[str, Any] = {
    "name": "compute-0",
    "address": "10.216.61.171",
    "hostname": "juju-cd456c-2",
    "state": ["DOWN", "DYNAMIC_NORM"],
    "partitions": ["compute"],
    "real_memory": 15986,
    "reason": "Not responding",
    "reason_changed_at": {"set": True, "infinite": False, "number": 1769096589},
    "alloc_memory": 0,
    "alloc_cpus": 0,
    "alloc_idle_cpus": 8,
    "cpus": 8,
    "gres": "",
    "gres_used": "",
    "features": [],
    "version": "25.11.0",
}
JOB: dict[str, Any] = {
    "job_id": 7,
    "name": "gw-x-1",
    "nodes": "n[3-4]",
    "tres_alloc_str": "cpu=4,mem=200M,node=2,billing=4",
    "state_reason": "None",
    "user_name": "root",
}
BATCH = Batch(
    name="gw-x",
    nodes=("n3", "n1"),
    cpus=4,
    memory_mib=100,
    gpu_kind="h100",
    gpus=8,
    script="#!/bin/sh\n",
    output="/shared/out",
    options=("--account=ai", "-p", "batch"),
)


def test_a_node_of_the_plain_version() -> None:
    node = node_of(NODE_38)
    assert (node.name, node.address, node.cpus, node.allocated_cpus) == ("n1", "127.0.0.1", 64, 4)
    assert (node.memory_mib, node.allocated_mib) == (1000000, 400)
    assert (node.gpu_kind, node.gpus, node.allocated_gpus) == ("h100", 8, 2)
    assert (node.states, node.features) == (("drain", "mixed"), ("h100", "rack1"))
    assert (node.closed, node.dead, node.answers, node.reason) == (True, False, True, "bad dimm")
    assert partitions_of(NODE_38) == ("batch", "half")


def test_nodes_of_structured_versions() -> None:
    node = node_of(NODE_42)
    assert (node.cpus, node.memory_mib, node.gpus, node.gpu_kind) == (32, 127927, 2, "fake1")
    assert (node.states, node.features, node.dead) == (("idle",), (), False)
    assert partitions_of(NODE_42) == ("debug",)
    lost = node_of(NODE_44)
    assert (lost.dead, lost.gpus, lost.reason) == (True, 0, "Not responding")
    silent = node_of({**NODE_44, "state": ["IDLE", "NOT_RESPONDING"]})
    assert (silent.dead, silent.answers) == (False, False)


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        ("RUNNING", "RUNNING"),
        ("COMPLETING", "COMPLETING"),
        (["RUNNING"], "RUNNING"),
        (["COMPLETED", "COMPLETING"], "COMPLETING"),
        (["PENDING", "REQUEUED"], "PENDING"),
        (["NODE_FAIL"], "NODE_FAIL"),
        (["RUNNING", "CONFIGURING"], "RUNNING"),
    ],
)
def test_a_jobs_state_is_a_word_or_a_list(raw: str | list[str], state: str) -> None:
    wanted = SlurmJob(
        id=7, state=state, name="gw-x-1", nodes=("n3", "n4"), cpus=4, memory_mib=200, reason="None"
    )
    assert job_of({**JOB, "job_state": raw}) == wanted
    assert job_of({**JOB, "job_state": raw, "job_id": {"set": True, "number": 7}}) == wanted


def test_a_job_that_waits_has_nothing() -> None:
    job = job_of({**JOB, "job_state": ["PENDING"], "nodes": "", "tres_alloc_str": None})
    assert (job.nodes, job.cpus, job.waits) == ((), 0, True)


def test_a_number_that_is_not_set_is_none() -> None:
    assert number({"set": False, "infinite": True, "number": 4294967295}) == 0
    assert number({"set": True, "infinite": False, "number": 5}) == 5


def test_a_submission_to_the_plain_version() -> None:
    body = submission(BATCH, 38)
    assert body["script"] == "#!/bin/sh\n"
    assert body["job"] == {
        "name": "gw-x",
        "tasks_per_node": 1,
        "cpus_per_task": 4,
        "standard_output": "/shared/out",
        "current_working_directory": "/",
        "account": "ai",
        "partition": "batch",
        "nodes": [2, 2],
        "nodelist": "n3,n1",
        "no_requeue": True,
        "open_mode": "append",
        "environment": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
        "memory_per_node": 100,
        "gres": "gres:gpu:h100:8",
    }


def test_a_submission_to_structured_versions() -> None:
    body = submission(BATCH, 42)
    job = body["job"]
    assert set(body) == {"job"}
    assert (job["nodes"], job["required_nodes"], job["requeue"]) == ("2", ["n3", "n1"], False)
    assert job["memory_per_node"] == {"set": True, "infinite": False, "number": 100}
    assert (job["tres_per_node"], job["open_mode"]) == ("gres/gpu:h100:8", ["APPEND"])
    assert (job["script"], job["environment"]) == (
        "#!/bin/sh\n",
        ["PATH=/usr/local/bin:/usr/bin:/bin"],
    )
    earlier = submission(BATCH, 39)
    assert (earlier["script"], earlier["job"]["tres_per_node"]) == (
        "#!/bin/sh\n",
        "gres:gpu:h100:8",
    )


def test_options_of_sbatch_that_have_no_place_are_refused() -> None:
    assert option_fields(["-Aai", "--qos", "high"]) == {"account": "ai", "qos": "high"}
    for options in (["--begin=now"], ["--account"], ["-x", "n1"]):
        with pytest.raises(ValueError, match="by REST"):
            option_fields(options)


def test_errors_have_their_number_under_one_of_two_names() -> None:
    said = {"errors": [{"error_code": 2000, "error": "no"}, {"error_number": -1, "error": "why"}]}
    assert errors_of(said) == [(2000, "no"), (-1, "why")]
