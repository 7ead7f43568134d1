"""A gateway that stands alone: one file, any OpenAI servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from benchmarks.gateway_peers import free_port

from tests.contract.gateway.site import MESSAGES, Site

pytestmark = pytest.mark.slow

GW = [sys.executable, "-m", "gigawatt.cli"]


def write(path: Path, port: int, **key: int) -> None:
    keys = [{"name": "alice", "key": "sk-alice-1", **key}]
    models = [{"name": "tiny", "servers": [f"http://127.0.0.1:{port}"], "aliases": ["gpt"]}]
    path.write_text(json.dumps({"keys": keys, "models": models}))


def gw(*args: str) -> str:
    done = subprocess.run([*GW, *args], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def ask(port: int, key: str = "sk-alice-1") -> str:
    """`ok`, or the error's code."""
    url = f"http://127.0.0.1:{port}/v1"
    try:
        with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
            client.chat.completions.create(model="gpt", messages=MESSAGES)
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
