"""Runtimes: the programs that serve models, what they say of their load, and how they sleep.

The names of metrics are those that each documents for its Prometheus page. That of vLLM's cache was another before its
version 0.10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class RuntimeName(StrEnum):
    CUSTOM = "custom"  # any program that speaks OpenAI's API; it is started by a command of its own
    LLAMACPP = "llamacpp"
    VLLM = "vllm"
    SGLANG = "sglang"


class Task(StrEnum):
    """What a model is asked for."""

    CHAT = "chat"  # and completions
    EMBEDDINGS = "embeddings"


class Gauge(StrEnum):
    """What autoscaling wants to know of a replica."""

    RUNNING = "running"  # requests that are being computed
    WAITING = "waiting"  # requests that the runtime has taken and not begun
    CACHE_USE = "cache_use"  # of its KV cache, from 0 to 1
    PROMPT_TOKENS = "prompt_tokens"  # computed since it started
    COMPLETION_TOKENS = "completion_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """`metrics` says under which names it tells what, the first that is there counts. Both sleep paths take a POST;
    without them it sleeps and wakes by itself, or not at all.
    """

    name: RuntimeName
    metrics: Mapping[Gauge, tuple[str, ...]]
    sleep_path: str = ""
    wake_path: str = ""
    asleep_path: str = ""  # a GET is answered {"is_sleeping": true} or false
    sleeps_by_itself: bool = False

    @property
    def sleeps(self) -> bool:
        return self.sleeps_by_itself or bool(self.sleep_path)


def _read(**names: tuple[str, ...]) -> Mapping[Gauge, tuple[str, ...]]:
    return MappingProxyType({Gauge(gauge): found for gauge, found in names.items()})


RUNTIMES: Mapping[RuntimeName, Runtime] = MappingProxyType(
    {
        RuntimeName.CUSTOM: Runtime(name=RuntimeName.CUSTOM, metrics=_read()),
        RuntimeName.LLAMACPP: Runtime(
            name=RuntimeName.LLAMACPP,
            metrics=_read(
                running=("llamacpp:requests_processing",),
                waiting=("llamacpp:requests_deferred",),
                cache_use=("llamacpp:kv_cache_usage_ratio",),
                prompt_tokens=("llamacpp:prompt_tokens_total",),
                completion_tokens=("llamacpp:tokens_predicted_total",),
            ),
            sleeps_by_itself=True,
        ),
        RuntimeName.VLLM: Runtime(
            name=RuntimeName.VLLM,
            metrics=_read(
                running=("vllm:num_requests_running",),
                waiting=("vllm:num_requests_waiting",),
                cache_use=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
                prompt_tokens=("vllm:prompt_tokens_total",),
                completion_tokens=("vllm:generation_tokens_total",),
            ),
            sleep_path="/sleep?level=1",
            wake_path="/wake_up",
            asleep_path="/is_sleeping",
        ),
        RuntimeName.SGLANG: Runtime(
            name=RuntimeName.SGLANG,
            metrics=_read(
                running=("sglang:num_running_reqs",),
                waiting=("sglang:num_queue_reqs",),
                cache_use=("sglang:token_usage",),
                prompt_tokens=("sglang:prompt_tokens_total",),
                completion_tokens=("sglang:generation_tokens_total",),
            ),
            sleep_path="/release_memory_occupation",
            wake_path="/resume_memory_occupation",
        ),
    }
)
