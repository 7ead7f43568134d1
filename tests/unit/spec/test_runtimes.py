"""From the name of a runtime to what starts it."""

from typing import Any

import pytest

from gigawatt.model.endpoint import Readiness
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from gigawatt.model.refusal import RefusalError
from gigawatt.model.runtime import RuntimeName
from gigawatt.spec.parse import EndpointDraft, endpoint_from

MODEL, PORT = '"$GIGAWATT_MODEL_PATH"', '"$PORT"'


def draft(**fields: Any) -> EndpointDraft:
    return endpoint_from({"name": "chat", "model": "llama", **fields})


def refused(**fields: Any) -> str:
    with pytest.raises(RefusalError) as caught:
        draft(**fields)
    return caught.value.field


def test_llamacpp_is_started_by_the_program_beside_the_ranks_in_an_environment_of_its_own() -> None:
    found = draft(runtime="llamacpp", concurrency=4, context=2048, sleep="1m", args=["n_batch=64"])
    line = f'exec python -m gigawatt.rank.llamacpp --model {MODEL} --port {PORT} "$@"'
    words = ("--name", "chat", "--parallel", "4", "--context", "2048", "--sleep", "60")
    assert found.spec.command == ("sh", "-c", line, "llamacpp", *words, "n_batch=64")
    assert (found.spec.runtime, found.spec.sleep_s) == (RuntimeName.LLAMACPP, 60)
    assert found.environment.kind is EnvironmentKind.UV
    assert [each.partition("==")[0] for each in found.environment.requirements] == ["xllamacpp"]


def test_vllm_is_told_what_the_endpoint_says() -> None:
    found = draft(
        runtime="vllm",
        served_name="llama-3",
        concurrency=64,
        gang={"gpus": 4},
        context=8192,
        sleep="10m",
        env={"HF_HUB_OFFLINE": "1"},
        args=["--kv-cache-dtype", "fp8"],
    )
    assert found.spec.command == (
        *("sh", "-c", f'exec vllm serve {MODEL} --port {PORT} "$@"', "vllm"),
        *("--host", "127.0.0.1", "--served-model-name", "llama-3", "--max-num-seqs", "64"),
        *("--max-model-len", "8192", "--tensor-parallel-size", "4", "--enable-sleep-mode"),
        *("--kv-cache-dtype", "fp8"),
    )
    assert found.spec.env == (("HF_HUB_OFFLINE", "1"), ("VLLM_SERVER_DEV_MODE", "1"))
    assert found.spec.readiness == Readiness(timeout_s=1800)
    assert found.environment == EnvironmentSpec(kind=EnvironmentKind.UV, requirements=("vllm",))


def test_sglang_serves_embeddings_with_its_metrics() -> None:
    found = draft(runtime="sglang", task="embeddings", gang={"gpus": 1})
    line = f'exec python -m sglang.launch_server --model-path {MODEL} --port {PORT} "$@"'
    assert found.spec.command == (
        *("sh", "-c", line, "sglang", "--host", "127.0.0.1", "--served-model-name", "chat"),
        *("--enable-metrics", "--max-running-requests", "8", "--is-embedding"),
    )


def test_what_an_endpoint_says_itself_counts_before_its_runtime() -> None:
    own = {"kind": "uv", "requirements": ["vllm==0.32.0"]}
    found = draft(runtime="vllm", environment=own, readiness={"timeout": "2h"})
    assert found.environment.requirements == ("vllm==0.32.0",)
    assert found.spec.readiness == Readiness(timeout_s=7200)
    assert draft(runtime="vllm", environment="host").environment.kind is EnvironmentKind.HOST


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "command"),
        ({"runtime": "vllm", "command": "vllm serve"}, "command"),
        ({"command": "serve", "args": ["--fast"]}, "args"),
        ({"command": "serve", "context": 10}, "context"),
        ({"command": "serve", "sleep": "1m"}, "sleep"),
        ({"command": "serve", "task": "embeddings"}, "task"),
        ({"runtime": "vlm"}, "runtime"),
    ],
)
def test_what_a_runtime_cannot_use_is_refused(fields: dict[str, Any], field: str) -> None:
    assert refused(**fields) == field
