"""`gw bench serve`: traces in virtual time, and what is asked of the person."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gigawatt.cli.app import app
from gigawatt.cli.playing import prompt_of
from gigawatt.twin.requests import Request


def bench(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["bench", "serve", *args])
    assert done.exit_code == code, done.output
    return done.output


def test_a_trace_in_the_twin_is_the_same_every_time() -> None:
    args = ("--twin", "--rate", "5", "--requests", "200", "--ttft", "60", "-o", "json")
    first = json.loads(bench(*args))
    assert first == json.loads(bench(*args))
    assert (first["requests"], first["errors"], first["attained"]) == (200, 0, 1.0)
    assert first["cold_starts"] >= 1
    assert first["gpu_seconds"] > 0
    assert first["ttft_p50_s"] <= first["ttft_p90_s"] <= first["ttft_p99_s"] <= 60


def test_people_get_a_report(tmp_path: Path) -> None:
    trace = tmp_path / "kimi.jsonl"
    trace.write_text(
        '{"timestamp": 0, "input_length": 9000, "output_length": 500, "hash_ids": [1]}\n'
    )
    told = bench("--twin", "--trace", "mooncake", "--file", str(trace), "--completion-max", "10")
    assert "1, 0 failed" in told
    assert "cold starts" in told


@pytest.mark.parametrize("args", [(), ("chat", "--twin"), ("--twin", "--trace", "azure")])
def test_what_is_played_where_must_be_said(args: tuple[str, ...]) -> None:
    bench(*args, code=2)


def test_prompts_of_one_prefix_begin_alike_and_are_as_long_as_they_should_be() -> None:
    prompts = [
        prompt_of(Request(at_s=n, prompt_tokens=1500, completion_tokens=1, prefix=(3, 9 + n)))
        for n in range(2)
    ]
    words = [prompt.split() for prompt in prompts]
    assert words[0][:510] == words[1][:510]
    assert words[0][510] != words[1][510]
    assert {len(each) for each in words} == {1498}
