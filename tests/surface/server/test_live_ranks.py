"""`gw stack` and `gw exec` on real ranks: the one that hangs is found, commands run where the rank runs."""

import json

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.daily import end, gw, running, strangers_key, wrote
from tests.surface.server.jobs import python, submit, wait_phase

pytestmark = pytest.mark.slow

HANGS = """
import os, time
import gigawatt
def waits_for_the_others():
    print("in", flush=True)
    time.sleep(600)
def reads_a_batch_forever():
    print("in", flush=True)
    time.sleep(600)
if os.environ["RANK"] == "2":
    reads_a_batch_forever()
waits_for_the_others()
"""


def test_of_many_ranks_the_one_that_hangs_elsewhere_is_shown_last(
    instance: Instance, api: Api
) -> None:
    gang = {"nodes": 2, "ranks_per_node": 2, "cpus": 0.2}
    job = running(api, HANGS, gang=gang)
    for rank in range(4):
        wrote(instance, job, "in", "--rank", str(rank))
    view = json.loads(gw(instance, "stack", job["id"], "-o", "json").stdout)
    assert [group["ranks"] for group in view["groups"]] == [[0, 1, 3], [2]]
    assert "waits_for_the_others" in view["groups"][0]["text"]
    assert "reads_a_batch_forever" in view["groups"][1]["text"]
    shown = gw(instance, "stack", job["id"])
    assert shown.returncode == 0
    assert shown.stdout.index("ranks 0-1, 3") < shown.stdout.index("rank 2")
    assert "2 different stacks; the rarest: rank 2" in shown.stderr
    one = json.loads(gw(instance, "stack", job["id"], "--rank", "2", "-o", "json").stdout)
    assert [group["ranks"] for group in one["groups"]] == [[2]]
    far = gw(instance, "stack", job["id"], "--rank", "4")
    assert (far.returncode, "there are ranks 0 to 3, not 4" in far.stderr) == (2, True)
    end(api, job)


def test_a_command_runs_beside_its_rank_and_its_exit_code_is_passed_on(
    instance: Instance, api: Api
) -> None:
    job = running(api, gang={"nodes": 2, "cpus": 0.1})
    script = "echo out $RANK; echo err >&2; exit 7"
    done = gw(instance, "exec", job["id"], "--rank", "1", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out 1\n", "err\n")
    killed = gw(instance, "exec", job["id"], "--", "sh", "-c", "kill -9 $$")
    assert killed.returncode == 128 + 9
    late = gw(instance, "exec", job["id"], "--timeout", "300ms", "--", "sleep", "60")
    assert (late.returncode, "killed after 300ms" in late.stderr) == (124, True)
    much = gw(instance, "exec", job["id"], "--", "sh", "-c", "yes | head -c 2000000")
    assert (much.returncode, len(much.stdout)) == (0, 1 << 20)
    assert f"{2_000_000 - (1 << 20)} bytes of output over the limit" in much.stderr
    binary = gw(instance, "exec", job["id"], "-o", "json", "--", "printf", r"\377")
    assert json.loads(binary.stdout)["encoding"] == "base64"
    end(api, job)


def test_what_cannot_be_run_is_told(instance: Instance, api: Api) -> None:
    job = running(api)
    missing = gw(instance, "exec", job["id"], "--", "no-such-command")
    assert (missing.returncode, missing.stderr.count("command not found")) == (2, 1)
    assert gw(instance, "exec", job["id"], "--rank", "3", "--", "true").returncode == 2
    assert gw(instance, "exec", job["id"]).returncode == 2
    assert gw(instance, "exec", job["id"], "--timeout", "soon", "--", "true").returncode == 2
    status, problem = api.call("POST", f"/v1/jobs/{job['id']}/exec", {"command": []})
    assert (status, problem["field"]) == (422, "command")
    end(api, job)


def test_a_job_that_does_not_run_has_no_ranks_to_look_into(instance: Instance, api: Api) -> None:
    job = submit(api, python("pass"))
    wait_phase(api, job, "succeeded")
    for command in (("stack", job["id"]), ("exec", job["id"], "--", "true")):
        done = gw(instance, *command)
        assert done.returncode == 2
        assert "job test is succeeded: none of its ranks runs" in done.stderr
    assert gw(instance, "stack", "no-such-job").returncode == 1


def test_ranks_of_another_project_are_not_there(instance: Instance, api: Api) -> None:
    job = running(api)
    key = strangers_key(api, "live-other")
    for command in (("stack", job["id"]), ("exec", job["id"], "--", "true")):
        done = gw(instance, *command, key=key)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"there is no job {job['id']}" in done.stderr
    end(api, job)


def test_a_viewer_may_look_and_not_run(instance: Instance, api: Api) -> None:
    job = running(api)
    status, made = api.call("POST", "/v1/keys", {"name": "viewer", "role": "viewer"})
    assert status == 201
    assert gw(instance, "stack", job["id"], key=made["key"]).returncode == 0
    done = gw(instance, "exec", job["id"], "--", "true", key=made["key"])
    assert "may not do live.execute" in done.stderr
    end(api, job)
