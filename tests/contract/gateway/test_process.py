"""The gateway as a process of its own."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

from tests.contract.gateway.site import KEY, MESSAGES, Site, endpoint

pytestmark = pytest.mark.slow

HEAVY = ("numpy", "pydantic", "fastapi", "starlette", "sqlalchemy", "httpx2", "prometheus_client")


@contextmanager
def gateway_process(site: Site, *more: str) -> Generator[tuple[subprocess.Popen[bytes], Path]]:
    """The process and its log."""
    log = site.directory / "logs" / "gateway.log"
    command = [
        *(sys.executable, "-m", "gigawatt.gateway", "--port", "0", "--log-file", str(log)),
        *("--config", str(site.config_file), "--token-file", str(site.token_file)),
        *("--api", f"http://127.0.0.1:{site.control.server.port}", *more),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process, log
        finally:
            process.kill()


def port_of(site: Site, log: Path) -> int:
    def lines() -> list[dict[str, object]]:
        text = log.read_text() if log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    site.until(lambda: any("port" in line for line in lines()))
    (port,) = [line["port"] for line in lines() if "port" in line]
    assert isinstance(port, int)
    return port


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as reply:
            return json.load(reply)["control_plane"] == "up"
    except OSError:
        return False


def test_it_serves_and_ends_on_sigterm_without_cutting_a_stream(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.word_gate)
    document = site.document(endpoint(("replica-1", replica.server.port)))
    site.call(site.control.publish(document))
    with gateway_process(site) as (process, log):
        port = port_of(site, log)
        site.until(lambda: ready(port))
        url = f"http://127.0.0.1:{port}/v1"
        with openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
            stream = client.chat.completions.create(
                model="tiny-gpt", messages=MESSAGES, stream=True
            )
            process.send_signal(signal.SIGTERM)
            site.until(lambda: not ready(port))
            site.set(replica.word_gate)
            words = [chunk.choices[0].delta.content for chunk in stream]
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert words == ["one", "two", "three", "four"]


def test_draining_has_an_end(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.word_gate)
    document = site.document(endpoint(("replica-1", replica.server.port)))
    site.call(site.control.publish(document))
    with gateway_process(site, "--limit", "drain_s=0.2") as (process, log):
        port = port_of(site, log)
        site.until(lambda: ready(port))
        url = f"http://127.0.0.1:{port}/v1"
        with openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
            stream = client.chat.completions.create(
                model="tiny-gpt", messages=MESSAGES, stream=True
            )
            process.send_signal(signal.SIGTERM)
            with pytest.raises(openai.APIError) as told:
                list(stream)
        assert told.value.code == "draining"
        assert process.wait(10) == 0


def test_a_taken_port_is_one_clear_line(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with gateway_process(site, "--port", port) as (process, log):
            assert process.wait(10) == 1
            assert process.stderr is not None
            said = process.stderr.read().decode()
    assert said.count("\n") == 1
    assert port in said
    assert port in json.loads(log.read_text())["detail"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("body_byte=1", "body_bytes"),
        ("body_bytes=many", "not a number"),
        ("head_s=0", "must be above 0"),
    ],
)
def test_a_wrong_limit_is_one_clear_line(site: Site, setting: str, says: str) -> None:
    with gateway_process(site, "--limit", setting) as (process, _):
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert says in process.stderr.read().decode()


def test_it_loads_nothing_heavy() -> None:
    code = f"import sys, gigawatt.gateway.__main__; print([n for n in {HEAVY} if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.strip() == b"[]"


def test_keys_never_reach_the_log(site: Site) -> None:
    site.call(site.control.publish(site.document(endpoint(("replica-1", 1)))))
    with gateway_process(site) as (process, log):
        port = port_of(site, log)
        site.until(lambda: ready(port))
        url = f"http://127.0.0.1:{port}/v1"
        client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
        with client, pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert KEY not in log.read_text()
