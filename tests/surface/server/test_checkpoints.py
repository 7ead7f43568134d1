"""Checkpoints on a real instance: pruned, cut short, passed over, started from."""

import os
import signal
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.jobs import View, python, read, submit, wait_phase
from tests.waiting import until

pytestmark = pytest.mark.slow

TRAIN = """
import gigawatt as gw, time
first = (gw.resume_step() or 0) + 1
print("from", gw.resume_step(), gw.resume_path())
for step in range(first, first + 5):
    path = gw.checkpoint_dir() / f"step-{step}"
    path.mkdir(exist_ok=True)
    (path / "weights").write_bytes(b"w" * 1000 * step)
    gw.report(step=step, val_loss=abs(step - 2))
    gw.checkpoint(step=step, path=path, val_loss=abs(step - 2))
time.sleep(600 if first == 1 else 0)
"""
KEEP = {"keep_last": 2, "keep_best": {"metric": "val_loss"}}


def checkpoints(api: Api, job: View) -> list[View]:
    status, page = api.call("GET", f"/v1/jobs/{job['id']}/checkpoints")
    assert status == 200, page
    return page["items"]


def saved(api: Api, job: View, *steps: int) -> list[View]:
    """Its records, once they are of these steps."""

    def look() -> list[View] | None:
        found = checkpoints(api, job)
        return found if [each["step"] for each in found] == list(steps) else None

    return until(look, what=f"checkpoints {steps} of {job['id']}")


def test_a_policy_deletes_files_and_a_cut_off_checkpoint_is_passed_over(
    instance: Instance, api: Api
) -> None:
    job = submit(api, python(TRAIN), checkpoints=KEEP)
    records = saved(api, job, 5, 4, 2)
    within = Path(records[0]["path"]).parent
    assert sorted(path.name for path in within.iterdir()) == ["step-2", "step-4", "step-5"]
    assert (records[0]["size_bytes"], records[0]["files"]) == (5000, 1)
    (within / "step-5" / "weights").write_bytes(b"half")
    os.kill(read(api, job)["attempts"][0]["ranks"][0]["pid"], signal.SIGKILL)
    view = wait_phase(api, job, "succeeded", "failed")
    assert view["phase"] == "succeeded", view
    (fact,) = view["attempts"][1]["evidence"]
    assert fact["what"] == "checkpoint_invalid"
    assert "weights has 4 bytes, and had 5000 when it was reported" in fact["detail"]
    assert f"from 4 {within / 'step-4'}" in instance.gw("logs", job["id"])


def test_a_job_starts_from_another_and_its_checkpoints_verify(instance: Instance, api: Api) -> None:
    source = submit(api, python(TRAIN.replace("600", "0")), name="source")
    assert wait_phase(api, source, "succeeded", "failed")["phase"] == "succeeded"
    assert "valid" in instance.gw("checkpoints", "verify", source["id"])
    job = submit(api, python(TRAIN), name="next", **{"from": f"{source['id']}@3"})
    view = wait_phase(api, job, "succeeded", "failed")
    assert view["phase"] == "succeeded", view
    path = next(each["path"] for each in checkpoints(api, source) if each["step"] == 3)
    assert f"from 3 {path}" in instance.gw("logs", job["id"])
