"""How to do harm to the nodes of a local engine."""

import os
import signal

from gigawatt.engine.conformance.bench import Fault, Faults
from gigawatt.engine.local import LocalEngine


def local_faults() -> Faults:
    """A node's supervisor is the node: killed, it comes back by itself."""
    killed = _signalled(signal.SIGKILL)
    return Faults(
        lose_node=killed,
        kill_supervisor=killed,
        silence=_signalled(signal.SIGSTOP),
        speak=_signalled(signal.SIGCONT),
    )


def _signalled(number: signal.Signals) -> Fault:
    async def fault(engine: LocalEngine, node: str) -> None:
        os.kill(engine.supervisor_pid(node), number)

    return fault
