"""Secrets in the view of ranks: which variable leads to which secret of the project. Never the secret itself."""

from dataclasses import dataclass
from enum import StrEnum


class Into(StrEnum):
    ENV = "env"  # the variable holds it, and another the path of a file with it
    FILE = "file"  # only the file


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse:
    """The secret of that name, in `variable`, and in the file that `variable` with _FILE behind it says."""

    variable: str
    secret: str
    into: Into = Into.ENV
