"""Whole runs of the twin: a scenario file as people write it, and what it came to as text. Chance is of its seed alone."""

import json
from dataclasses import asdict
from pathlib import Path

from gigawatt.twin.report import Report
from gigawatt.twin.run import run
from gigawatt.twin.scenario import read_scenario

TWINS = Path(__file__).parent / "twins"


def played(path: Path) -> str:
    """The report of a scenario, every invariant checked at every event, as the text that its golden file holds."""
    return told(run(read_scenario(path)))


def told(report: Report) -> str:
    return "\n".join(f"{name}: {json.dumps(value)}" for name, value in asdict(report).items())
