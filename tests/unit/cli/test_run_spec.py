"""From flags to the fields of a job."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from gigawatt.cli.commands.run_spec import Flags, default_bundle


def flags(**given: Any) -> Flags:
    nothing: dict[str, Any] = dict.fromkeys(each.name for each in fields(Flags))
    empty: dict[str, Any] = {"env": (), "after": (), "labels": (), "sweep": (), "no_bundle": False}
    return Flags(**{**nothing, **empty, **given})


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
        "environment": "host",
        "bundle": "",
        "model": {"name": "tiny", "path": "final"},
    }


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
