"""The rank module where ranks import it from: copied, for whatever Python they have."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
PUT_BESIDE_RANKS = (
    "__init__.py",
    "version.py",
    "rank/__init__.py",
    "rank/call.py",
    "rank/copy.py",
    "rank/entries.py",
    "rank/function.py",
    "rank/kept.py",
    "rank/llamacpp.py",
    "rank/unpacking.py",
    "rank/desk/__init__.py",
    "rank/desk/facts.py",
    "rank/desk/front.py",
    "rank/desk/measure.py",
    "rank/desk/program.py",
    "rank/desk/run.py",
    "rank/desk/terminal.py",
    "rank/desk/volumes.py",
    "rank/desk/websocket.py",
)


def put_beside_ranks(target: Path) -> None:
    """The rank module as package `gigawatt`, for whatever Python the ranks have."""
    for name in PUT_BESIDE_RANKS:
        path = target / "gigawatt" / name
        content = (PACKAGE / name).read_bytes()
        if path.exists() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
