"""How to do harm to a Ray engine, and to nothing of the cluster that it runs on."""

import os
import signal

from gigawatt.engine.conformance.bench import Bench, Fault, Faults
from gigawatt.engine.conformance.harm import kill_supervisor
from gigawatt.engine.ray import RayEngine


def ray_faults() -> Faults:
    """A node's supervisor is the node: killed, it comes back by itself. What goes silent is all that we hear of Ray."""
    return Faults(
        lose_node=kill_supervisor,
        kill_supervisor=kill_supervisor,
        silence=_signalled(signal.SIGSTOP),
        speak=_signalled(signal.SIGCONT),
    )


def _signalled(number: signal.Signals) -> Fault:
    async def fault(bench: Bench, _node: str) -> None:
        assert isinstance(bench.engine, RayEngine)
        pid = bench.engine.envoy_pid
        if pid:
            os.kill(pid, number)

    return fault
