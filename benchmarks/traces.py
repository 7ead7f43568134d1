"""Where public traces are. They are not part of the project: what needs them is skipped where they are absent."""

import os
from pathlib import Path

VARIABLE = "GIGAWATT_TRACES"


def found(*names: str) -> Path | None:
    """A file or folder of them: beside the repository in `shared/traces`, or where the variable says."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces"
    path = Path(os.environ.get(VARIABLE) or beside).joinpath(*names)
    return path if path.exists() else None


def absent(*names: str) -> str:
    """Why something is skipped."""
    return f"no {'/'.join(names)} in ../shared/traces, nor where {VARIABLE} says"
