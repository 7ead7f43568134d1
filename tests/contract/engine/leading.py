"""A control plane for tests: the local engine with everything that it tells, as the conformance suite drives it."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from gigawatt.engine.conformance.bench import Bench, Faults
from gigawatt.engine.local import LocalEngine, NodeSpec
from tests.waiting import until

MIB = 1 << 20

T = TypeVar("T")


def a_node(name: str = "node-0") -> NodeSpec:
    return NodeSpec(id=name, milli_cpu=1000, memory_bytes=1 << 30)


def some_nodes(count: int) -> tuple[NodeSpec, ...]:
    return tuple(a_node(f"node-{index}") for index in range(count))


@asynccontextmanager
async def leading(
    data: Path,
    make_engine: Callable[[], LocalEngine] | None = None,
    *,
    nodes: int = 1,
    epoch: int = 1,
) -> AsyncGenerator[Bench, None]:
    """A bench that leads; what it launched is stopped at the end."""
    scratch = data.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    make = make_engine or (lambda: LocalEngine(data, nodes=some_nodes(nodes)))
    bench = Bench(make, faults=Faults(), epoch=epoch, scratch=scratch, tag="test")
    await bench.start("test")
    try:
        yield bench
    finally:
        await bench.finish()


def engine_of(bench: Bench) -> LocalEngine:
    assert isinstance(bench.engine, LocalEngine)
    return bench.engine


def kill_supervisor(bench: Bench, node: str = "node-0") -> None:
    os.kill(engine_of(bench).supervisor_pid(node), signal.SIGKILL)


async def seen(look: Callable[[], T | None], what: str) -> T:
    """What `look` finds, looked for again and again."""
    return await asyncio.to_thread(until, look, what=what)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that is only waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def attempt_dir(data: Path, key: object, node: str = "node-0") -> Path:
    return data / "nodes" / node / "attempts" / str(key)
