"""What every engine must do, as a suite that runs against a real one: no test runner needed.

`run` gives each case's result and what it was seen by. A case is `unsupported` where the engine does not claim what it
is about, or has too few nodes to show it.
"""

from gigawatt.engine.conformance.bench import Faults
from gigawatt.engine.conformance.cases import CASES
from gigawatt.engine.conformance.report import Case, Report
from gigawatt.engine.conformance.run import run

__all__ = ["CASES", "Case", "Faults", "Report", "run"]
