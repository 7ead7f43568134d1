"""A gateway that stands alone: one file, any OpenAI servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from benchmarks.gateway_peers import free_port

from tests.contract.gateway.site import CHAT, MESSAGES, Site

pytestmark = pytest.mark.slow

GW = [sys.executable, "-m", "gigawatt.cli"]


def write(path: Path, port: int, **key: int) -> None:
    keys = [{"name": "alice", "key": "sk-alice-1", **key}]
    models = [{"name": "tiny", "servers": [f"http://127.0.0.1:{port}"], "aliases": ["gpt"]}]
    path.write_text(json.dumps({"keys": keys, "models": models}))


def gw(*args: str) -> str:
    done = subprocess.run([*GW, *args], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def ask(port: int, key: str = "sk-alice-1", model: str = "gpt") -> str:
    """`ok`, or the error's code."""
    url = f"http://127.0.0.1:{port}/v1"
    try:
        with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
            client.chat.completions.create(model=model, messages=MESSAGES)
    except openai.APIConnectionError:
        return "down"
    except openai.APIStatusError as error:
        return error.code or ""
    return "ok"


def test_it_serves_counts_and_follows_its_file(site: Site, tmp_path: Path) -> None:
    replica = site.replica()
    file, state, port = tmp_path / "gateway.yaml", str(tmp_path / "state"), free_port()
    write(file, replica.server.port)
    options = ["--port", str(port), "--workers", "2", "--state", state]
    with subprocess.Popen([*GW, "gateway", str(file), *options], env=os.environ) as process:
        try:
            site.until(lambda: ask(port) == "ok")
            assert ask(port, key="sk-mallory") == "invalid_api_key"
            used = json.loads(gw("gateway", str(file), "--usage", "--state", state, "-o", "json"))
            write(file, replica.server.port, tokens_per_month=1)
            gw("gateway", str(file), "--reload", "--state", state)
            site.until(lambda: ask(port) == "insufficient_quota")
        finally:
            process.terminate()
        assert process.wait(20) == 0
    assert used["items"][0] == {
        "key": "alice",
        "model": "gpt",
        "requests": 1,
        "prompt_tokens": 7,
        "cached_tokens": 3,
        "completion_tokens": 4,
    }


def test_a_server_that_does_not_answer_gets_no_requests_until_it_does(
    site: Site, tmp_path: Path
) -> None:
    well, gone = site.replica("well"), free_port()
    servers = [f"http://127.0.0.1:{port}" for port in (well.server.port, gone)]
    health = {"path": "/healthz", "every": 1, "failures": 1}
    models = [
        {"name": "gpt", "servers": servers, "health": health},
        {"name": "none", "servers": servers[1:], "health": health, "fallback": "gpt"},
    ]
    keys = [{"name": "alice", "key": "sk-alice-1"}]
    file, port = tmp_path / "gateway.yaml", free_port()
    file.write_text(json.dumps({"keys": keys, "models": models}))
    options = ["--port", str(port), "--state", str(tmp_path / "state")]

    def ready(model: str) -> int:
        try:
            with openai.OpenAI(
                base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-alice-1", max_retries=0
            ) as client:
                fields = client.models.retrieve(model).model_extra
        except openai.APIError:
            return -1
        return fields["replicas_ready"] if fields else -1

    with subprocess.Popen([*GW, "gateway", str(file), *options], env=os.environ) as process:
        try:
            site.until(lambda: ready("gpt") == 1)
            site.until(lambda: ready("none") == 0)
            assert {ask(port), ask(port, model="none")} == {"ok"}
            late = site.replica_at(gone)
            site.until(lambda: (ready("gpt"), ready("none")) == (2, 1))
            assert ask(port, model="none") == "ok"
            assert any(received.path == CHAT for received in late.received)
        finally:
            process.terminate()
        assert process.wait(60) == 0
