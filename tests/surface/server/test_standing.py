"""Templates, schedules and notifications on a real instance: by commands, and with its control plane killed."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start

from gigawatt.model.change import Batch
from gigawatt.model.schedule import Schedule
from gigawatt.reconcile.schedules import job_id
from gigawatt.store import open_store
from tests.surface.api.receiver import Received, a_receiver
from tests.surface.server.daily import gw
from tests.surface.server.jobs import View
from tests.waiting import until

pytestmark = pytest.mark.slow

TEMPLATE = """\
name: train
parameters:
  lr: {type: number, default: 0.001, max: 1, description: how fast it learns}
  nodes: {type: integer, default: 1, min: 1, max: 2}
command: [sh, -c, 'echo "lr is $LR"; cat code.txt']
gang: {nodes: "${{ nodes }}", cpus: 0.1}
env: {LR: "${{ lr }}"}
bundle: .
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "work"
    here.mkdir()
    (here / "train.yaml").write_text(TEMPLATE)
    (here / "code.txt").write_text("the code\n")
    return here


def test_a_template_is_pushed_filled_in_and_run_with_its_code(
    instance: Instance, api: Api, folder: Path, tmp_path: Path
) -> None:
    pushed = gw(instance, "templates", "push", str(folder / "train.yaml"))
    assert (pushed.returncode, pushed.stdout) == (0, "train@1\n"), pushed
    assert gw(instance, "templates", "push", str(folder / "train.yaml")).stdout == "train@1\n"
    options = ("--template", "train", "-p", "lr=0.5", "-p", "nodes=2", "--wait")
    done = gw(instance, "run", *options, "--label", "team=x", cwd=tmp_path)
    assert done.returncode == 0, done
    job = done.stdout.strip()
    assert gw(instance, "logs", job).stdout == "lr is 0.5\nthe code\n"
    _, view = api.call("GET", f"/v1/jobs/{job}")
    assert view["labels"] == {"team": "x"}
    assert view["cause"] == {
        "schedule": "",
        "due_ms": 0,
        "template": "train",
        "template_number": 1,
        "parameters": {"lr": "0.5", "nodes": "2"},
    }
    (folder / "train.yaml").write_text(TEMPLATE.replace("0.001", "0.002"))
    assert gw(instance, "templates", "push", str(folder / "train.yaml")).stdout == "train@2\n"
    tried = gw(instance, "run", "--template", "train@1", "--dry-run", "-o", "json")
    assert json.loads(tried.stdout)["spec"]["env"] == {"LR": "0.001"}
    shown = gw(instance, "templates", "train").stdout
    assert all(word in shown for word in ("2 of 2", "how fast it learns", "0.002", "1 … 2"))
    wrong = gw(instance, "run", "--template", "train", "-p", "lr=2", "-p", "node=1")
    assert (wrong.returncode, "did you mean 'nodes'?" in wrong.stderr) == (2, True)
    assert gw(instance, "templates", "delete", "train").returncode == 0
    gone = gw(instance, "run", "--template", "train")
    assert (gone.returncode, "there is no template train" in gone.stderr) == (1, True)


def test_a_file_with_parameters_needs_no_template(instance: Instance, folder: Path) -> None:
    done = gw(instance, "run", "train.yaml", "-p", "lr=0.25", "--wait", cwd=folder)
    assert done.returncode == 0, done
    assert "lr is 0.25" in gw(instance, "logs", done.stdout.strip()).stdout
    wrong = gw(instance, "run", "train.yaml", "-p", "nodes=3", cwd=folder)
    assert wrong.returncode == 2
    assert "train.yaml:4:3: parameter nodes is 3; allowed: 1 to 2" in wrong.stderr


def test_a_schedule_is_made_looked_at_paused_and_run_now(instance: Instance, folder: Path) -> None:
    cron = ("--cron", "0 3 * * *", "--tz", "Europe/Berlin")
    made = gw(instance, "schedules", "create", "nightly", *cron, "train.yaml", cwd=folder)
    assert (made.returncode, made.stdout) == (0, "nightly\n"), made
    job = gw(instance, "schedules", "run-now", "nightly").stdout.strip()
    view = json.loads(gw(instance, "schedules", "nightly", "-o", "json").stdout)
    assert (view["phase"], view["last_job"], len(view["upcoming"])) == ("active", job, 5)
    assert [(each["outcome"], each["job"]) for each in view["fires"]] == [("started", job)]
    shown = gw(instance, "schedules", "nightly").stdout
    assert "0 3 * * *  (Europe/Berlin)" in shown
    assert " 03:00 CE" in shown
    listed = gw(instance, "jobs", "--label", "gigawatt/schedule=nightly", "-o", "json").stdout
    assert [each["id"] for each in json.loads(listed)["items"]] == [job]
    assert gw(instance, "schedules", "pause", "nightly").stderr == "nightly is paused\n"
    assert "nightly is active, due " in gw(instance, "schedules", "resume", "nightly").stderr
    for args, code, said in (
        (("--cron", "61 * * * *", "train.yaml"), 2, "minute is 0 to 59"),
        (("--cron", "@daily", "--tz", "Europe/Berln", "train.yaml"), 2, "'Europe/Berlin'"),
        (("--cron", "@daily"), 2, "nothing to run"),
    ):
        done = gw(instance, "schedules", "create", "other", *args, cwd=folder)
        assert (done.returncode, said in done.stderr) == (code, True), done
    assert gw(instance, "schedules", "delete", "nightly").returncode == 0
    assert gw(instance, "schedules", "show", "nightly").returncode == 1


def put_back(instance: Instance, name: str, due_ms: int) -> None:
    """While nothing leads: as if this time had been ahead when the schedule was looked at last."""
    store = open_store(f"sqlite:///{instance.data / 'gigawatt.db'}")
    now_ms = time.time_ns() // 1_000_000
    lease = store.lease()
    assert lease is not None
    epoch = store.lead(holder=lease.holder, now_ms=now_ms, lease_ms=1)
    held = store.read_named(Schedule, tenant="default", project="default", name=name)
    assert held is not None
    store.commit(Batch(puts=[replace(held, next_ms=due_ms)]), epoch=epoch, now_ms=now_ms)
    store.close()


def test_a_control_plane_that_is_killed_around_a_fire_starts_its_job_once(
    own_data: Path, connect: Callable[..., Api], tmp_path: Path
) -> None:
    instance = start(own_data)
    (tmp_path / "job.yaml").write_text("name: tick\ncommand: [sleep, '600']\ngang: {cpus: 0.1}\n")
    minute = datetime.now(UTC).replace(second=0, microsecond=0)  # the one that has just begun
    due_ms = int(minute.timestamp()) * 1_000
    cron = ("--cron", f"{minute:%M %H %d %m} *", "--overlap", "allow")
    made = gw(instance, "schedules", "create", "yearly", *cron, "job.yaml", cwd=tmp_path)
    assert made.returncode == 0, made
    instance.kill()
    put_back(instance, "yearly", due_ms)

    def ticks(api: Api) -> list[View]:
        _, page = api.call("GET", "/v1/jobs?name=tick")
        return page["items"]

    for _ in range(2):  # killed as soon as the job is there; then once more
        instance = start(own_data)
        api = connect(instance)
        (job,) = until(lambda api=api: ticks(api) or None, what="the job of the fire")
        assert job["id"].startswith("job-")
        instance.kill()
    instance = start(own_data)
    api = connect(instance)
    (job,) = ticks(api)
    _, view = api.call("GET", "/v1/schedules/yearly")
    _, fires = api.call("GET", "/v1/schedules/yearly/fires")
    found = [(each["due_ms"], each["outcome"], each["job"]) for each in fires["items"]]
    assert found == [(due_ms, "started", job["id"])]
    assert job["id"] == job_id(view["id"], due_ms)
    _, events = api.call("GET", "/v1/events?kind=job.submitted")
    assert len(events["items"]) == 1


def test_a_control_plane_that_is_killed_while_it_tells_loses_nothing(
    own_data: Path, connect: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIGAWATT_WEBHOOK_NETWORKS", "127.0.0.0/8")
    with a_receiver() as receiver:
        instance = start(own_data)
        made = gw(
            instance,
            *("notifications", "create", "ops", "--on", "job.succeeded,job.failed"),
            *("--webhook", receiver.url),
        )
        assert made.returncode == 0, made
        assert gw(instance, "notifications", "test", "ops").returncode == 0
        receiver.got.clear()
        receiver.hold.set()
        ids = [gw(instance, "run", "--no-bundle", "--wait", "--", "true").stdout.strip()]
        until(lambda: receiver.got, what="the first message")
        ids += [gw(instance, "run", "--no-bundle", "--wait", "--", "true").stdout.strip()]
        instance.kill()
        receiver.hold.clear()
        receiver.let_go.set()
        instance = start(own_data)
        until(lambda: told(receiver.got, ids), what="all of it told")
        first, again = receiver.got[:2]
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        assert first.body == again.body
        api = connect(instance)

        def settled() -> bool:
            _, page = api.call("GET", "/v1/notifications/ops/deliveries")
            return {each["phase"] for each in page["items"]} == {"delivered"}

        until(settled, what="all of it on record")
        shown = gw(instance, "notifications", "deliveries", "ops").stdout
        assert shown.count("delivered") == 2


def told(got: list[Received], ids: list[str]) -> bool:
    subjects = {event["subject"] for each in got for event in each.json["events"]}
    return subjects == set(ids)


def test_a_webhook_that_is_not_public_is_refused_where_the_operator_did_not_allow_it(
    instance: Instance,
) -> None:
    with a_receiver() as receiver:
        made = gw(
            instance,
            *("notifications", "create", "inside", "--on", "node.down", "--webhook", receiver.url),
        )
        assert made.returncode == 0, made
        done = gw(instance, "notifications", "test", "inside")
        assert done.returncode == 1
        assert "127.0.0.1 leads to no address that webhooks may go to" in done.stderr
        assert receiver.got == []
    kinds = gw(instance, "notifications", "kinds").stdout
    assert "job.failed" in kinds
    wrong = gw(
        instance, *("notifications", "create", "x", "--on", "job.faild", "--webhook", "http://x/")
    )
    assert (wrong.returncode, "did you mean 'job.failed'?" in wrong.stderr) == (2, True)
