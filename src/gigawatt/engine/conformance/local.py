"""How to do harm to the nodes of a local engine."""

import os
import signal

from gigawatt.engine.conformance.bench import Bench, Fault, Faults
from gigawatt.engine.conformance.harm import kill_supervisor
from gigawatt.engine.local import LocalEngine


def local_faults() -> Faults:
    """A node's supervisor is the node: killed, it comes back by itself."""
    return Faults(
        lose_node=kill_supervisor,
        kill_supervisor=kill_supervisor,
        silence=_signalled(signal.SIGSTOP),
        speak=_signalled(signal.SIGCONT),
    )


def _signalled(number: signal.Signals) -> Fault:
    async def fault(bench: Bench, node: str) -> None:
        assert isinstance(bench.engine, LocalEngine)
        os.kill(bench.engine.supervisor_pid(node), number)

    return fault
