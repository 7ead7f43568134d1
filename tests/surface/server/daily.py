"""Commands of people on a real instance, as they are: exit codes, both streams, and the keys of others."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.http import Api
from benchmarks.instance import GW, Instance

from tests.surface.server.jobs import View, python, submit, wait_phase, wait_running
from tests.waiting import until

Done = subprocess.CompletedProcess[str]

STAYS = "import time; time.sleep(600)"
TIMEOUT_S = 120.0


def gw(
    instance: Instance,
    *args: str,
    key: str = "",
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: str = "",
) -> Done:
    """What a command did, whatever its exit code; `key` is whose."""
    env = instance.environ() | dict(environ or {})
    if key:
        env |= {"GIGAWATT_API": instance.api_url, "GIGAWATT_TOKEN": key}
    return subprocess.run(
        [*GW, *args],
        env=env,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def strangers_key(api: Api, project: str) -> str:
    """A key of another project, which is made."""
    assert api.call("POST", "/v1/projects", {"name": project})[0] == 201
    body = {"name": project, "role": "developer", "project": project}
    status, made = api.call("POST", "/v1/keys", body)
    assert status == 201, made
    return str(made["key"])


def running(api: Api, code: str = STAYS, **fields: object) -> View:
    """A job whose ranks all run."""
    job = submit(api, python(code), **fields)
    wait_running(api, job)
    return job


def wrote(instance: Instance, job: View, text: str, *more: str) -> None:
    """Wait until a rank has written it."""
    until(lambda: text in gw(instance, "logs", job["id"], *more).stdout, what=f"{text!r} in a log")


def end(api: Api, job: View) -> None:
    api.call("POST", f"/v1/jobs/{job['id']}/cancel")
    wait_phase(api, job, "cancelled")
