"""The engine for one machine: virtual nodes, each with a supervisor of its own that outlives the control plane."""

from gigawatt.engine.local.engine import LocalEngine
from gigawatt.engine.local.machine import NodeSpec, share_machine
from gigawatt.engine.local.shutdown import shut_down_supervisors

__all__ = ["LocalEngine", "NodeSpec", "share_machine", "shut_down_supervisors"]
