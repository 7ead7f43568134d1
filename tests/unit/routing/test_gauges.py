"""What runtimes say of their load, from pages as they write them."""

import pytest

from gigawatt.model.runtime import RUNTIMES, Gauge, RuntimeName
from gigawatt.routing.gauges import fullest, read_gauges

LLAMACPP = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 32
# TYPE llamacpp:prompt_tokens_cached_total counter
llamacpp:prompt_tokens_cached_total 7
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 8
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 5
"""
VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-8B"} 24.0
vllm:num_requests_running{engine="1",model_name="Qwen/Qwen3-8B"} 6.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen3-8B"} 72.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="Qwen/Qwen3-8B",reason="capacity"} 72.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen3-8B"} 0.42
vllm:kv_cache_usage_perc{engine="1",model_name="Qwen/Qwen3-8B"} 0.17
# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 1.234e+06
vllm:prompt_tokens_created{engine="0",model_name="Qwen/Qwen3-8B"} 1.7e+09
vllm:generation_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 1000.0
"""
SGLANG = """\
# HELP sglang:prompt_tokens_total Number of prefill tokens processed.
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct"} 8.128902e+06
sglang:generation_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct"} 7.557572e+06
sglang:token_usage{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.28
sglang:num_running_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 161.0
sglang:num_queue_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 2826.0
"""


@pytest.mark.parametrize(
    ("name", "page", "expected"),
    [
        (RuntimeName.LLAMACPP, LLAMACPP, (2, 5, None, 32, 8)),
        (RuntimeName.VLLM, VLLM, (30, 72, 0.42, 1_234_000, 1000)),
        (RuntimeName.SGLANG, SGLANG, (161, 2826, 0.28, 8_128_902, 7_557_572)),
    ],
)
def test_a_page_is_read_by_its_runtimes_names(
    name: RuntimeName, page: str, expected: tuple[float | None, ...]
) -> None:
    found = read_gauges(page, RUNTIMES[name])
    assert tuple(found.get(gauge) for gauge in Gauge) == expected


def test_vllms_older_name_of_its_cache_is_known_too() -> None:
    page = 'vllm:gpu_cache_usage_perc{model_name="a b {c}"} 0.5 1700000000'
    assert read_gauges(page, RUNTIMES[RuntimeName.VLLM]) == {Gauge.CACHE_USE: 0.5}


@pytest.mark.parametrize("line", ["", "vllm:num_requests_running", "vllm:num_requests_running NaN", "{} 1"])  # fmt: skip
def test_what_is_no_sample_is_passed_over(line: str) -> None:
    assert read_gauges(line, RUNTIMES[RuntimeName.VLLM]) == {}


def test_the_fullest_cache_of_all_replicas_counts() -> None:
    assert fullest([{Gauge.CACHE_USE: 0.2}, {}, {Gauge.CACHE_USE: 0.9}]) == 0.9
    assert fullest([]) == 0.0
