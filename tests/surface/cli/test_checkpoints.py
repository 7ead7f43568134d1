"""`gw checkpoints`, and the flag that starts a job from one."""

import json
from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble, a_job

RECORD: dict[str, Any] = {
    "step": 200,
    "path": "/data/checkpoints/step-200",
    "at_ms": NOW_MS,
    "attempt": 1,
    "rank": 0,
    "size_bytes": 3 << 20,
    "files": 4,
    "state": "valid",
    "why": "",
    "newest": True,
    "manifest": "sha256:" + "a" * 64,
    "digest": "sha256:" + "b" * 64,
    "metrics": {"val_loss": 0.25},
}
BROKEN = {**RECORD, "step": 300, "state": "invalid", "why": "meta has 1 bytes", "newest": False}


def has(api: ApiDouble, *records: dict[str, Any]) -> str:
    job = a_job()
    api.jobs[job["id"]] = job
    body = {"items": list(records), "next": ""}
    api.on("GET", f"/v1/jobs/{job['id']}/checkpoints", lambda _: Answer(body=body))
    return str(job["id"])


def verified(api: ApiDouble, job: str, faults: dict[str, str]) -> None:
    def answer(request: Any) -> Answer:
        step = request.query["step"][0]
        item = {
            "step": int(step),
            "path": f"/c/{step}",
            "size_bytes": 1 << 20,
            "valid": step not in faults,
            "fault": faults.get(step, ""),
            "digest": "sha256:" + "c" * 64,
        }
        return Answer(body={"items": [item], "next": ""})

    api.on("GET", f"/v1/jobs/{job}/checkpoints/verify", answer)


def test_checkpoints_are_listed_with_the_one_to_resume_from_and_why_others_are_not(
    gw: Gw, api: ApiDouble
) -> None:
    has(api, BROKEN, RECORD)
    shown = gw("checkpoints", "list", "tiny-gpt")
    assert shown.exit_code == 0
    assert "*200" in shown.stdout
    assert "bbbbbbbbbbbb" in shown.stdout
    assert "val_loss=0.25" in shown.stdout
    assert shown.stderr == "step 300: meta has 1 bytes\n"
    as_json = gw("checkpoints", "list", "tiny-gpt", "-o", "json")
    assert json.loads(as_json.stdout) == {"items": [BROKEN, RECORD], "next": ""}


def test_a_job_without_any_is_told_how_to_have_some(gw: Gw, api: ApiDouble) -> None:
    has(api)
    assert "gw.checkpoint(...)" in gw("checkpoints", "list", "tiny-gpt").stderr


def test_verifying_reads_each_step_and_fails_if_one_is_not_valid(gw: Gw, api: ApiDouble) -> None:
    job = has(api, BROKEN, RECORD)
    verified(api, job, {"300": "meta has 1 bytes"})
    found = gw("checkpoints", "verify", "tiny-gpt")
    assert found.exit_code == 1
    assert found.stdout.splitlines() == [
        "step 300  1 MiB  invalid: meta has 1 bytes  /c/300",
        "step 200  1 MiB  valid cccccccccccc  /c/200",
    ]
    one = gw("checkpoints", "verify", "tiny-gpt", "--step", "200", "-o", "json")
    assert one.exit_code == 0
    assert [each["step"] for each in json.loads(one.stdout)["items"]] == [200]


def test_a_job_is_started_from_another_by_a_flag(gw: Gw, api: ApiDouble) -> None:
    done = gw("run", "--no-bundle", "--from", "tiny-gpt@200", "--", "python", "train.py")
    assert done.exit_code == 0, done.stderr
    sent = next(each for each in api.requests if each.method == "POST")
    assert sent.json["from"] == "tiny-gpt@200"
