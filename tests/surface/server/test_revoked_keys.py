"""A revoked key on a real instance: refused at once by the API and by the gateway, and what is open with it ends."""

import threading
import time
from collections.abc import Callable

import httpx2
import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.daily import STAYS, end, running
from tests.surface.server.talking import started
from tests.waiting import until

pytestmark = pytest.mark.slow

GATEWAY_S = 2.0  # it is told over a connection that is open for that


def models(instance: Instance, key: str) -> int:
    """What the gateway answers to this key."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.get(f"{instance.gateway_url}/v1/models", headers=headers).status_code


@pytest.fixture
def made(api: Api) -> dict[str, str]:
    status, view = api.call("POST", "/v1/keys", {"name": "short", "role": "developer"})
    assert status == 201, view
    return {"id": view["id"], "key": view["key"]}


def test_the_api_and_the_gateway_refuse_it_at_once(
    instance: Instance, api: Api, made: dict[str, str]
) -> None:
    until(lambda: models(instance, made["key"]) == 200, what="the gateway knows the key")
    assert api.call("DELETE", f"/v1/keys/{made['id']}")[0] == 200
    revoked_s = time.monotonic()
    headers = {"Authorization": f"Bearer {made['key']}"}
    answer = httpx2.get(f"{instance.api_url}/v1/whoami", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the key short was revoked")
    until(lambda: models(instance, made["key"]) == 401, what="the gateway refuses the key")
    assert time.monotonic() - revoked_s < GATEWAY_S


def test_a_shell_and_a_stream_that_it_opened_end(
    instance: Instance, api: Api, made: dict[str, str], connect: Callable[..., Api]
) -> None:
    job = running(api, STAYS)
    lines: list[str] = []

    def follow() -> None:
        headers = {"Authorization": f"Bearer {made['key']}"}
        url = f"{instance.api_url}/v1/events/watch"
        with httpx2.stream("GET", url, headers=headers, timeout=60.0) as stream:
            lines.append(str(stream.status_code))
            lines.extend(stream.iter_lines())

    following = threading.Thread(target=follow)
    following.start()
    until(lambda: lines, what="the stream is open")
    key = {"GIGAWATT_API": instance.api_url, "GIGAWATT_TOKEN": made["key"]}
    command = ("exec", "-i", job["id"], "--", "cat")
    with started(instance, *command, environ=key) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write("still here\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == "still here\n"
        assert api.call("DELETE", f"/v1/keys/{made['id']}")[0] == 200
        _, said = shell.communicate(timeout=30)
        assert shell.returncode != 0
        assert "the key was revoked" in said
    following.join(timeout=30)
    assert not following.is_alive()
    end(api, job)
