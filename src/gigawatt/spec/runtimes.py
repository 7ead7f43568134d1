"""From a runtime's name to the command, the environment and the readiness that an endpoint gets with it.

Flags are those of the runtimes' documentation: vLLM's `vllm serve`, SGLang's `sglang.launch_server`. llama.cpp is
served by `gigawatt.rank.llamacpp`, which lies beside the ranks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.model.endpoint import Readiness
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from gigawatt.model.runtime import RUNTIMES, RuntimeName, Task

LLAMACPP = "xllamacpp==2026.10.11549"  # llama.cpp's server for Python, built for CPUs
LOAD_S_MAX = 1800  # for models of hundreds of gigabytes
_MODEL, _PORT = '"$GIGAWATT_MODEL_PATH"', '"$PORT"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a runtime is told: the name of the model, how many requests at once, and how many GPUs a replica has."""

    runtime: RuntimeName
    served_name: str
    concurrency: int
    gpus: int = 0
    task: Task = Task.CHAT
    context: int = 0  # tokens of one request; 0: as the runtime chooses
    sleep_s: int = 0  # without requests until it lets go of memory; 0: it does not
    args: tuple[str, ...] = ()  # further ones, as they stand


def runtime_command(served: Served) -> tuple[str, ...]:
    """The argv that starts the runtime: a shell puts in the port and the model's path."""
    assert served.runtime is not RuntimeName.CUSTOM
    build = {
        RuntimeName.LLAMACPP: _llamacpp,
        RuntimeName.VLLM: _vllm,
        RuntimeName.SGLANG: _sglang,
    }[served.runtime]
    line, words = build(served)
    return ("sh", "-c", f'exec {line} "$@"', served.runtime.value, *words, *served.args)


def runtime_environ(served: Served) -> tuple[tuple[str, str], ...]:
    """Variables that the runtime needs for what was asked of it."""
    if served.runtime is RuntimeName.VLLM and served.sleep_s:
        return (("VLLM_SERVER_DEV_MODE", "1"),)  # which is where its sleep routes are
    return ()


def runtime_environment(runtime: RuntimeName) -> EnvironmentSpec:
    """The packages of a runtime, where an endpoint names none."""
    requirement = {
        RuntimeName.LLAMACPP: LLAMACPP,
        RuntimeName.VLLM: "vllm",
        RuntimeName.SGLANG: "sglang[all]",
    }[runtime]
    return EnvironmentSpec(kind=EnvironmentKind.UV, requirements=(requirement,))


def runtime_readiness(runtime: RuntimeName) -> Readiness:
    """Where an endpoint says nothing. `/health` of all three answers once the model is loaded."""
    if runtime in {RuntimeName.VLLM, RuntimeName.SGLANG}:
        return Readiness(timeout_s=LOAD_S_MAX)
    return Readiness(interval_ms=50) if runtime is RuntimeName.LLAMACPP else Readiness()


def sleeping_runtimes() -> tuple[str, ...]:
    """Those that can let go of memory and stay."""
    return tuple(sorted(each.name.value for each in RUNTIMES.values() if each.sleeps))


def _llamacpp(served: Served) -> tuple[str, Sequence[str]]:
    words = ["--name", served.served_name, "--parallel", str(served.concurrency)]
    words += ["--context", str(served.context)] if served.context else []
    words += ["--sleep", str(served.sleep_s)] if served.sleep_s else []
    words += ["--embeddings"] if served.task is Task.EMBEDDINGS else []
    return f"python -m gigawatt.rank.llamacpp --model {_MODEL} --port {_PORT}", words


def _vllm(served: Served) -> tuple[str, Sequence[str]]:
    words = ["--host", "127.0.0.1", "--served-model-name", served.served_name]
    words += ["--max-num-seqs", str(served.concurrency)]
    words += ["--max-model-len", str(served.context)] if served.context else []
    words += ["--tensor-parallel-size", str(served.gpus)] if served.gpus > 1 else []
    words += ["--enable-sleep-mode"] if served.sleep_s else []
    words += ["--runner", "pooling"] if served.task is Task.EMBEDDINGS else []
    return f"vllm serve {_MODEL} --port {_PORT}", words


def _sglang(served: Served) -> tuple[str, Sequence[str]]:
    words = ["--host", "127.0.0.1", "--served-model-name", served.served_name, "--enable-metrics"]
    words += ["--max-running-requests", str(served.concurrency)]
    words += ["--context-length", str(served.context)] if served.context else []
    words += ["--tp-size", str(served.gpus)] if served.gpus > 1 else []
    words += ["--enable-memory-saver"] if served.sleep_s else []
    words += ["--is-embedding"] if served.task is Task.EMBEDDINGS else []
    return f"python -m sglang.launch_server --model-path {_MODEL} --port {_PORT}", words
