"""The text that every machine has: the Python standard library's own source, as token ids.

Comments and docstrings are left out: a million parameters have enough to do with the code. Files are read in the order
of their names, and every 20th is kept for validation, so that no part of a validation file is ever trained on.
"""

import os
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizer
from tokenizer import BETWEEN_FILES, Tokenizer

# Tests, tables and other people's packages: little in them reads like a program.
_LEFT_OUT = {
    "__pycache__",
    "dist-packages",
    "encodings",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
}
_COMMENT = re.compile(rb"^[ ]*#.*\n|[ ]+#[ ].*$", re.MULTILINE)
_DOCSTRING = re.compile(rb"^[ ]*[rRuU]?(\"\"\"|''').*?\1[ ]*\n", re.MULTILINE | re.DOTALL)
_BLANK_LINES = re.compile(rb"\n{3,}")
_VALIDATION_EVERY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Both splits as one-dimensional arrays of token ids, uint16."""

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray
    validation_bytes: int

    @property
    def bytes_per_token(self) -> float:
        """How much text a token stands for, in the validation split."""
        return self.validation_bytes / len(self.validation)


def load(*, vocabulary: int) -> Corpus:
    """Read the library, learn the tokens, encode. A few seconds, and the same on every rank."""
    train, validation = _read(Path(sysconfig.get_paths()["stdlib"]))
    tokens = tokenizer.learn(train, size=vocabulary)
    return Corpus(
        tokenizer=tokens,
        train=np.array(tokens.encode(train), dtype=np.uint16),
        validation=np.array(tokens.encode(validation), dtype=np.uint16),
        validation_bytes=len(validation),
    )


def _read(library: Path) -> tuple[bytes, bytes]:
    train: list[bytes] = []
    validation: list[bytes] = []
    for number, path in enumerate(sorted(_sources(library))):
        kept = validation if number % _VALIDATION_EVERY == 0 else train
        kept.append(_code(path.read_bytes()))
    return BETWEEN_FILES.join(train), BETWEEN_FILES.join(validation)


def _code(source: bytes) -> bytes:
    """`source` with the prose taken out; what looks like prose inside a string goes too."""
    return _BLANK_LINES.sub(b"\n\n\n", _DOCSTRING.sub(b"", _COMMENT.sub(b"", source)))


def _sources(library: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(library):
        below[:] = [name for name in below if name not in _LEFT_OUT]
        yield from (Path(folder, name) for name in files if name.endswith(".py"))
