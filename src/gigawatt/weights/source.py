"""A file to be looked at: on disk, or in the store under another name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gigawatt.model.refusal import RefusalCode, RefusalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`name` is what people know it by: its path inside the model's directory, with slashes."""

    name: str
    size_bytes: int
    open: Callable[[], BinaryIO]


def file_source(path: Path, name: str = "") -> Source:
    """A file on disk. Raises OSError."""

    def opened() -> BinaryIO:
        return path.open("rb")

    return Source(name=name or path.name, size_bytes=path.stat().st_size, open=opened)


def damaged(name: str, problem: str, hint: str = "") -> RefusalError:
    """The refusal of a file that is not what it claims to be."""
    return RefusalError(
        RefusalCode.INVALID,
        f"{name}: {problem}",
        field="path",
        hint=hint or "it was cut off or damaged on its way: fetch it again",
    )
