"""Serves a GGUF file by llama.cpp's own server, in this process: `python -m gigawatt.rank.llamacpp`.

Needs the package `xllamacpp`; OpenAI's API, `/health` and `/metrics` are the server's. It sleeps by itself: after
`--sleep` seconds without a request it lets go of weights and cache, and the next request wakes it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

CONTEXT = 4096  # tokens of one request
PROMPTS_MIB = 512  # of prompts that are kept beside those in the slots; cache_ram_mib=N for another


def main() -> None:
    """Load, serve, and wait for a signal."""
    given = _arguments(sys.argv[1:])
    library: Any = importlib.import_module("xllamacpp")
    params = _params(library, given)
    server = library.Server(params)  # returns once the model is loaded and the port is open
    sys.stderr.write(f"serving {params.model.path} at {server.listening_address}\n")
    threading.Event().wait()


def weights_in(path: Path) -> Path:
    """The GGUF file that is meant by a file or a directory: the first part where there are several."""
    if path.is_file():
        return path
    found = sorted(each for each in path.rglob("*.gguf") if not each.name.startswith("mmproj"))
    if not found:
        raise SystemExit(f"{path} holds no GGUF file, which is what llama.cpp reads")
    whole = [each for each in found if "-of-" not in each.name]
    firsts = [each for each in found if "-00001-of-" in each.name]
    choice = whole + firsts
    if len(choice) != 1:
        names = ", ".join(each.name for each in choice)
        raise SystemExit(f"{path} holds several models ({names}); serve a version that holds one")
    return choice[0]


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gigawatt.rank.llamacpp", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file, or its directory")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default="model", help="what clients write as `model`")
    parser.add_argument("--parallel", type=int, default=4, help="requests at once")
    parser.add_argument("--context", type=int, default=CONTEXT, help="tokens of one request")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser.add_argument("--sleep", type=int, default=-1, help="seconds without a request")
    parser.add_argument("--embeddings", action="store_true")
    parser.add_argument(
        "more", nargs="*", metavar="FIELD=NUMBER", help="of llama.cpp's parameters, n_gpu_layers=99"
    )
    return parser.parse_args(argv)


def _params(library: Any, given: argparse.Namespace) -> Any:
    params = library.CommonParams()
    params.model.path = str(weights_in(given.model))
    params.model_alias = {given.name}
    params.hostnames = ["127.0.0.1"]
    params.port = given.port
    params.n_parallel = given.parallel
    params.n_ctx = given.context * given.parallel  # shared out evenly
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given.threads
    params.n_threads_http = given.parallel + 4  # beside the requests: health, metrics
    params.sleep_idle_seconds = given.sleep
    params.embedding = given.embeddings
    params.endpoint_metrics = True
    params.ui = False
    params.cors_origins = ""  # no page of a browser on this machine may ask it
    params.cache_ram_mib = PROMPTS_MIB
    for setting in given.more:
        name, _, text = setting.partition("=")
        if not isinstance(getattr(params, name, None), int | float):
            raise SystemExit(f"llama.cpp has no parameter {name!r} that is a number")
        setattr(params, name, type(getattr(params, name))(float(text)))
    return params


if __name__ == "__main__":
    main()
