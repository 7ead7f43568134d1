"""What a node of a Ray cluster is told as."""

import json
from typing import Any

import pytest

from gigawatt.engine.ray.facts import Facts, facts_json, node_name, parse_facts
from gigawatt.engine.ray.heads import Member
from gigawatt.model.node import Gpu

GPU = Gpu(uuid="GPU-1", index=0, kind="h100", memory_bytes=80 << 30)


def some_facts(**changed: Any) -> Facts:
    values: dict[str, Any] = {
        "node": "n1",
        "ray": "abc",
        "host": "10.0.0.2",
        "port": 4000,
        "cpus": 1.5,
        "memory_bytes": 1 << 30,
        "gpus": (GPU,),
        "pythons": ("3.11",),
        "system": "Linux",
        "shared": True,
        "labels": (("gigawatt.io/node", "n1"), ("zone", "z1")),
    }
    return Facts(**{**values, **changed})


def test_facts_come_back_from_json_as_they_were() -> None:
    facts = some_facts()
    assert parse_facts(json.loads(json.dumps(facts_json(facts)))) == facts


def test_labels_of_ours_are_the_topology_and_others_are_labels() -> None:
    labels = (
        ("gigawatt.io/leaf", "l3"),
        ("gigawatt.io/node", "n1"),
        ("gigawatt.io/rack", "r7"),
        ("ray.io/availability-zone", "eu-1a"),
        ("ray.io/node-id", "ff"),
        ("zone", "z1"),
    )
    report = some_facts(labels=labels).report(limits="rlimit")
    assert report.topology == ("eu-1a", "", "", "l3", "r7", "", "n1")
    assert report.labels == (("ray.io-availability-zone", "eu-1a"), ("zone", "z1"))


def test_a_report_has_what_ray_was_told_that_the_node_gives() -> None:
    report = some_facts().report(limits="rlimit")
    assert (report.total.milli_cpu, report.total.milli_gpu) == (1500, 1000)
    assert (report.address, report.limits) == ("10.0.0.2", "rlimit")


@pytest.mark.parametrize(
    ("labels", "name"),
    [({"gigawatt.io/node": "n7"}, "n7"), ({}, "host-10-0-0-9"), (None, "host-10-0-0-9")],
)
def test_a_node_is_called_by_its_label_else_by_host_and_address(
    labels: dict[str, str] | None, name: str
) -> None:
    told = {"Labels": labels, "NodeManagerHostname": "host", "NodeManagerAddress": "10.0.0.9"}
    assert node_name(told) == name


def test_ray_is_started_with_the_token_and_without_what_is_the_instances(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIGAWATT_TOKEN", "secret")
    member = Member(
        node="n1", address="10.0.0.2", token_file=tmp_path / "token", levels={"rack": "r7"}, gpus=2
    )
    environ = member.environ()
    assert "GIGAWATT_TOKEN" not in environ
    assert environ["RAY_AUTH_MODE"] == "token"
    assert environ["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "token")
    command = member.command("--address=10.0.0.1:6379")
    assert "--node-ip-address=10.0.0.2" in command
    assert "--num-gpus=2" in command
    assert command[command.index("--labels") + 1] == "gigawatt.io/node=n1,gigawatt.io/rack=r7"
