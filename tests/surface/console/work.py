"""Small real work for pages to show: jobs that run, wait, failed and ended well, and an array."""

from dataclasses import dataclass

from benchmarks.http import Api

from tests.surface.server.jobs import python, submit, wait_phase
from tests.waiting import until

FOREVER = python("import signal; print('working', flush=True); signal.pause()")
TALKS = python("print('step 1 loss 2.5'); print('\\x1b[32mstep 2 loss 1.25\\x1b[0m')")
FAILS = python("raise SystemExit('no such file: data.bin')")
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Ids by what became of them."""

    running: str
    waiting: str
    failed: str
    succeeded: str
    array: str


def bring_about(api: Api) -> Work:
    """Submit it all, and wait until each is as its field says."""
    failed = submit(api, FAILS, name="evaluate", retries={"user": 0})
    succeeded = submit(api, TALKS, name="tokenise", labels={"team": "nlp"})
    status, array = api.call(
        "POST",
        "/v1/arrays",
        {"name": "sweep", "command": TALKS, "gang": {"cpus": 0.1}, "array": {"count": 3}},
    )
    assert status == 201, array
    wait_phase(api, failed, "failed", timeout_s=PATIENCE_S)
    wait_phase(api, succeeded, "succeeded", timeout_s=PATIENCE_S)
    _wait_array(api, array["id"])
    running = submit(api, FOREVER, name="train-small", labels={"team": "vision"})
    wait_phase(api, running, "running", timeout_s=PATIENCE_S)
    waiting = submit(api, FOREVER, name="train-large", start_after="2100-01-01T00:00:00Z")
    return Work(
        running=running["id"],
        waiting=waiting["id"],
        failed=failed["id"],
        succeeded=succeeded["id"],
        array=array["id"],
    )


def _wait_array(api: Api, id: str) -> None:
    def look() -> bool:
        _, view = api.call("GET", f"/v1/arrays/{id}")
        return view["phase"] == "succeeded"

    until(look, timeout_s=PATIENCE_S, what=f"{id} has succeeded")
