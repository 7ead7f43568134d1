"""`gw clone`, `gw compare`, and `gw jobs` by labels and saved filters, on a real instance."""

import json
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.daily import gw, strangers_key
from tests.surface.server.jobs import View, python, read, submit, wait_phase

pytestmark = pytest.mark.slow

LEARNS = """
import os, pathlib, time
import gigawatt as gw
gw.report(step=3, loss=float(os.environ["LOSS"]))
print(pathlib.Path("code.txt").read_text(), flush=True)
time.sleep(2)  # its report is read while it runs
"""


def made(instance: Instance, folder: Path) -> str:
    """A job with code, labels and variables; its id."""
    (folder / "code.txt").write_text("the code\n")
    options = ("--env", "LOSS=2.5", "--label", "team=nlp", "--cpus", "0.1", "--name", "learner")
    done = gw(instance, "run", *options, "--wait", "--", *python(LEARNS), cwd=folder)
    assert done.returncode == 0, done
    return done.stdout.strip()


def test_a_clone_is_the_same_but_for_what_flags_change(
    instance: Instance, api: Api, tmp_path: Path
) -> None:
    first = made(instance, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = gw(instance, "clone", first, "--wait", cwd=elsewhere)
    assert again.returncode == 0, again
    a, b = (read(api, {"id": each}) for each in (first, again.stdout.strip()))
    same = ("name", "bundle", "environment", "command", "labels", "gang", "priority")
    assert [a[field] for field in same] == [b[field] for field in same]
    assert gw(instance, "logs", b["id"]).stdout.strip() == "the code"
    changed = gw(instance, "clone", first, "--env", "LOSS=1.5", "--wait", cwd=elsewhere)
    found = gw(instance, "compare", first, changed.stdout.strip(), "-o", "json")
    view = json.loads(found.stdout)
    assert view["spec"] == [{"what": "env.LOSS", "a": "2.5", "b": "1.5"}]
    figures = {each["what"]: (each["a"], each["b"]) for each in view["figures"]}
    assert (figures["loss"], figures["step"]) == ((2.5, 1.5), (3, 3))
    shown = gw(instance, "compare", first, changed.stdout.strip()).stdout
    assert all(word in shown for word in ("env.LOSS", "packages\nthe same", "goodput"))
    other = gw(instance, "clone", first, "--dry-run", "-o", "json", "--", "echo", "hi")
    assert json.loads(other.stdout)["spec"]["command"] == ["echo", "hi"]


def test_what_cannot_be_cloned_or_compared_is_told(instance: Instance, tmp_path: Path) -> None:
    first = made(instance, tmp_path)
    for command in (("clone", "no-such-job"), ("compare", first, "no-such-job")):
        done = gw(instance, *command)
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no job no-such-job" in done.stderr
    wrong = gw(instance, "clone", first, "--memory", "lots")
    assert (wrong.returncode, "gang.memory" in wrong.stderr) == (2, True)
    both = gw(instance, "clone", first, "--bundle", ".", "--no-bundle")
    assert (both.returncode, "exclude each other" in both.stderr) == (2, True)


def test_another_projects_jobs_are_neither_cloned_nor_compared(
    instance: Instance, api: Api
) -> None:
    job = submit(api, python("pass"), env={"TOKEN": "mine"})
    wait_phase(api, job, "succeeded")
    key = strangers_key(api, "again-other")
    for command in (("clone", job["id"]), ("compare", job["id"], job["id"])):
        done = gw(instance, *command, key=key)
        assert (done.returncode, done.stdout) == (1, "")
    status, made = api.call("POST", "/v1/keys", {"name": "looks", "role": "viewer"})
    assert status == 201
    assert "may not do jobs.spec" in gw(instance, "clone", job["id"], key=made["key"]).stderr


def names(done: str) -> list[str]:
    return [job["name"] for job in json.loads(done)["items"]]


def test_jobs_are_listed_by_label_and_by_filters_that_were_saved(
    instance: Instance, api: Api, tmp_path: Path
) -> None:
    jobs: list[View] = []
    for n in range(7):
        labels = {"suite": "labels", "parity": "even" if n % 2 == 0 else "odd"}
        jobs.append(submit(api, ["true"], name=f"labelled-{n}", labels=labels))
    for job in jobs:
        wait_phase(api, job, "succeeded")
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}

    def listed(*options: str) -> list[str]:
        done = gw(instance, "jobs", "-o", "json", *options, environ=environ)
        assert done.returncode == 0, done
        return names(done.stdout)

    odd = ("--label", "suite=labels", "--label", "parity=odd")
    assert listed(*odd) == ["labelled-5", "labelled-3", "labelled-1"]
    assert listed(*odd, "--limit", "2") == ["labelled-5", "labelled-3"]
    assert listed("--label", "suite=labels", "--all") == [f"labelled-{n}" for n in range(6, -1, -1)]
    assert listed(*odd, "--phase", "running") == []
    assert listed(*odd, "--save", "odd ones") == ["labelled-5", "labelled-3", "labelled-1"]
    assert listed("--filter", "odd ones") == ["labelled-5", "labelled-3", "labelled-1"]
    assert listed("--filter", "odd ones", "--name", "labelled-3") == ["labelled-3"]
    missing = gw(instance, "jobs", "--filter", "odd one", environ=environ)
    assert missing.returncode == 2
    assert "there is no saved filter odd one" in missing.stderr
    assert "odd ones" in missing.stderr
    assert listed("--label", "suite", "--label", "!parity") == []
    assert listed("--label", "suite", "--label", "!nothing", "--limit", "1") == ["labelled-6"]
    shown = gw(instance, "jobs", "filters", environ=environ).stdout
    assert shown == "odd ones: gw jobs --label suite=labels --label parity=odd\n"
    assert gw(instance, "jobs", "filters", "--remove", "odd ones", environ=environ).returncode == 0
    assert gw(instance, "jobs", "filters", environ=environ).stdout == ""
    assert gw(instance, "jobs", "--label", "=nothing").returncode == 2
    changed = gw(instance, "jobs", "label", jobs[0]["id"], "parity=none", "kept=yes", "suite-")
    assert changed.stderr == "labelled-0 has kept=yes parity=none\n"
    assert listed("--label", "kept") == ["labelled-0"]
    gone = gw(instance, "jobs", "label", jobs[0]["id"], "suite-")
    assert (gone.returncode, "has no label suite; it has: kept, parity" in gone.stderr) == (2, True)
    status, page = api.call("GET", "/v1/jobs?label=suite%3Dlabels&limit=2")
    assert (status, [job["name"] for job in page["items"]]) == (200, ["labelled-6", "labelled-5"])
    assert api.call("GET", "/v1/jobs?label=%3Dnothing")[0] == 422
