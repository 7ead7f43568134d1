"""Jobs on a real instance: real processes, real signals, real files."""

import os
import signal
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.jobs import View, python, read, submit, wait_phase, wait_running
from tests.waiting import until

pytestmark = pytest.mark.slow

PRINT_RANK = (
    "import os; print(os.environ['RANK'], os.environ['WORLD_SIZE'], os.environ['MASTER_PORT'])"
)
REPORT = """
import gigawatt as gw, os, pathlib, time
folder = pathlib.Path(os.environ["GIGAWATT_CHECKPOINT_DIR"])
resumed = gw.resume_step() or 0
for step in range(resumed + 1, resumed + 4):
    gw.report(step=step, loss=1.0 / step, tokens=100)
path = folder / f"step-{resumed + 3}"
path.write_text("weights")
gw.checkpoint(step=resumed + 3, path=str(path))
time.sleep(600 if resumed == 0 else 0)
"""


def text_of(instance: Instance, job: str, *more: str) -> str:
    return instance.gw("logs", job, *more)


def test_every_rank_of_a_gang_sees_torchruns_variables(instance: Instance, api: Api) -> None:
    job = submit(api, python(PRINT_RANK), gang={"nodes": 2, "ranks_per_node": 2, "cpus": 0.2})
    view = wait_phase(api, job, "succeeded", "failed")
    assert view["phase"] == "succeeded", view
    lines = [text_of(instance, job["id"], "--rank", str(rank)).split() for rank in range(4)]
    assert [line[:2] for line in lines] == [[str(rank), "4"] for rank in range(4)]
    assert len({line[2] for line in lines}) == 1


def test_a_killed_rank_is_the_infrastructures_and_the_gang_runs_on_other_nodes(api: Api) -> None:
    job = submit(api, ["sleep", "600"], gang={"nodes": 2, "cpus": 0.1})
    first = wait_running(api, job)
    os.kill(first["ranks"][1]["pid"], signal.SIGKILL)
    second = wait_running(api, job, attempt=2)
    ended = read(api, job)["attempts"][0]
    assert (ended["verdict"], ended["charged_to"]) == ("infrastructure", "infrastructure")
    assert ended["ranks"][1]["signal"] == signal.SIGKILL
    assert first["ranks"][1]["node"] not in second["nodes"]
    api.call("POST", f"/v1/jobs/{job['id']}/cancel")
    assert wait_phase(api, job, "cancelled")["attempts"][1]["verdict"] == "cancelled"


def test_a_failing_script_is_charged_to_its_owner_with_its_last_words(api: Api) -> None:
    job = submit(api, python("import sys; print('boom', file=sys.stderr); sys.exit(3)"))
    view = wait_phase(api, job, "failed")
    (attempt,) = view["attempts"]
    assert (attempt["verdict"], attempt["charged_to"]) == ("user", "user")
    assert attempt["ranks"][0]["exit_code"] == 3
    assert "boom" in attempt["ranks"][0]["last_lines"]


def test_reports_and_checkpoints_reach_the_job_and_it_resumes_from_them(api: Api) -> None:
    job = submit(api, python(REPORT))

    def checkpointed() -> View | None:
        view = read(api, job)
        return view if view["checkpoint"] else None

    view = until(checkpointed, what="a checkpoint")
    assert view["checkpoint"]["step"] == 3
    assert view["progress"]["step"] == 3
    assert view["progress"]["loss"] == pytest.approx(1 / 3)
    os.kill(view["attempts"][0]["ranks"][0]["pid"], signal.SIGKILL)
    view = wait_phase(api, job, "succeeded", "failed")
    assert view["phase"] == "succeeded", view
    assert view["checkpoint"]["step"] == 6


def test_no_process_outlives_its_gang(api: Api, tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    daemon = (
        "import os, sys, time\n"
        "if os.fork(): time.sleep(600)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        f"open({str(pidfile)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    job = submit(api, python(daemon), grace="1s")
    pid = int(until(lambda: pidfile.exists() and (pidfile.read_text() or None), what="the daemon"))
    api.call("POST", f"/v1/jobs/{job['id']}/cancel")
    wait_phase(api, job, "cancelled")
    assert not Path(f"/proc/{pid}").exists()


def test_a_gang_that_this_cluster_could_never_hold_is_refused_with_both_numbers(api: Api) -> None:
    body = {"name": "big", "command": ["true"], "gang": {"nodes": 5000, "cpus": 0.1}}
    status, problem = api.call("POST", "/v1/jobs", body)
    assert status == 422
    assert "5000" in problem["detail"]
    assert "3" in problem["detail"]


def test_the_same_idempotency_key_is_one_job(api: Api) -> None:
    body = {"name": "once", "command": ["true"], "gang": {"cpus": 0.1}}
    replies = [api.call("POST", "/v1/jobs", body, key="once-1") for _ in range(3)]
    assert len({reply["id"] for _, reply in replies}) == 1
    status, problem = api.call("POST", "/v1/jobs", {**body, "name": "other"}, key="once-1")
    assert status == 422
    assert problem["type"].endswith("idempotency-key-reused")


def test_the_ledger_sums_to_what_is_installed(instance: Instance) -> None:
    import json

    ledger = json.loads(instance.gw("ledger", "-o", "json"))
    assert len(ledger["classes"]) == 15
    assert sum(ledger["classes"].values()) == ledger["installed"]
    assert ledger["installed"] > 0
