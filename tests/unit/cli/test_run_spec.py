"""From flags to the fields of a job."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from gigawatt.cli.commands.gang_flags import GangFlags
from gigawatt.cli.commands.run_spec import Flags, default_bundle
from gigawatt.model.gang import Apart, Segment, Spread
from gigawatt.spec.parse import parse_job


def flags(**given: Any) -> Flags:
    nothing: dict[str, Any] = dict.fromkeys(
        each.name for cls in (Flags, GangFlags) for each in fields(cls) if each.name != "gang"
    )
    empty: dict[str, Any] = {
        "kinds": (),
        "apart": (),
        "env": (),
        "after": (),
        "after_failed": (),
        "after_done": (),
        "after_each": None,
        "labels": (),
        "volumes": (),
        "secrets": (),
        "sweep": (),
        "no_bundle": False,
    }
    return Flags.taken_from({**nothing, **empty, **given})


def test_no_flags_say_nothing() -> None:
    assert flags().fields() == {}


def test_many_tasks_are_counted_or_listed_and_a_sweep_is_a_grid() -> None:
    assert flags(array="100").fields() == {"array": {"count": 100}}
    assert flags(array="0-9,20%5", max_failures=0).fields() == {
        "array": {"indices": "0-9,20", "parallel": 5, "max_failures": 0}
    }
    assert flags(sweep=("LR=1e-4,3e-4", "SEED=1")).fields() == {
        "sweep": {"LR": ["1e-4", "3e-4"], "SEED": ["1"]}
    }


def test_flags_are_fields_in_the_job_files_words() -> None:
    given = flags(
        name="x",
        nodes="2-4",
        cpus=0.5,
        gpus=1.0,
        memory="1GiB",
        env=("A=1", "B=x=y"),
        labels=("team=nlp",),
        after=("first",),
        volumes=("corpus:3", "scratch:out:rw"),
        retries=0,
        priority=0,
        timeout="2h",
        model="tiny=final",
        environment="host",
        no_bundle=True,
    )
    assert given.fields() == {
        "name": "x",
        "priority": 0,
        "timeout": "2h",
        "retries": {"user": 0},
        "gang": {"nodes": {"min": 2, "max": 4}, "cpus": 0.5, "memory": "1GiB", "gpus": 1.0},
        "env": {"A": "1", "B": "x=y"},
        "labels": {"team": "nlp"},
        "after": ["first"],
        "volumes": ["corpus:3", "scratch:out:rw"],
        "environment": "host",
        "bundle": "",
        "model": {"name": "tiny", "path": "final"},
    }


def test_layouts_are_said_by_flags_in_the_job_files_words() -> None:
    given = flags(
        kinds=("b200", "h100"),
        same="spine",
        segment="16:nvlink",
        spares=2,
        spread="leaf:32",
        apart=("app=search,tier=a:rack", "team=nlp"),
        watts="5.5kW",
        start_after="2026-01-31T12:00:00Z",
    )
    assert given.fields() == {
        "start_after": "2026-01-31T12:00:00Z",
        "gang": {
            "gpu_kinds": ["b200", "h100"],
            "same": "spine",
            "segment": {"nodes": 16, "level": "nvlink"},
            "spares": 2,
            "spread": {"level": "leaf", "at_most": 32},
            "apart": [
                {"labels": {"app": "search", "tier": "a"}, "level": "rack"},
                {"labels": {"team": "nlp"}},
            ],
            "watts": "5.5kW",
        },
    }
    assert flags(segment="4", spread="rack").fields() == {
        "gang": {"segment": {"nodes": 4}, "spread": {"level": "rack"}}
    }


def test_a_job_of_these_words_is_one() -> None:
    words = flags(nodes="64", segment="16:nvlink", spares=2, spread="leaf:36", apart=("a=b",))
    spec = parse_job(json.dumps({"name": "x", "command": "true", **words.fields()})).spec
    assert (spec.shape.segment, spec.shape.spares) == (Segment(nodes=16, level="nvlink"), 2)
    assert spec.shape.spread == Spread(level="leaf", at_most=36)
    assert spec.shape.apart == (Apart(labels=(("a", "b"),)),)


def test_requirements_and_python_make_an_environment_for_uv() -> None:
    found = flags(requirements=Path("/r.txt"), python="3.11").fields()
    uv = {"kind": "uv", "python": "3.11", "requirements_file": "/r.txt"}
    assert found == {"environment": uv}


@pytest.mark.parametrize(
    "given",
    [
        {"environment": "lock.txt", "requirements": Path("r.txt")},
        {"environment": "host", "python": "3.11"},
        {"python": "3.11"},
        {"bundle": Path(), "no_bundle": True},
        {"nodes": "two"},
        {"nodes": "2-"},
        {"segment": "rack"},
        {"segment": "4:"},
        {"spread": "4x:many"},
        {"spread": ":1"},
    ],
)
def test_flags_that_do_not_go_together_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        flags(**given).fields()


def test_a_home_and_the_root_are_not_taken_along() -> None:
    home = Path("/srv/ada")
    assert default_bundle(home / "code", home) == "/srv/ada/code"
    assert default_bundle(home, home) == ""
    assert default_bundle(Path("/"), home) == ""
