"""What ranks do right now, as callers see it."""

import base64
from dataclasses import dataclass
from typing import Literal

from gigawatt.engine.base import ExecResult
from gigawatt.model.launch import AttemptKey
from gigawatt.service.stack_groups import StackGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class StackGroupView:
    """Ranks whose stacks are the same, and those of the first of them."""

    ranks: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StacksView:
    """The largest group first. Ranks in `gone` had ended when they were looked at."""

    job: str
    attempt: int
    groups: tuple[StackGroupView, ...]
    gone: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecView:
    """A negative exit code is a signal's number. Output that is no UTF-8 is base64, as `encoding` says of both streams."""

    job: str
    attempt: int
    rank: int
    exit_code: int
    stdout: str
    stderr: str
    encoding: Literal["utf-8", "base64"]
    dropped_bytes: int
    overdue: bool


def group_view(group: StackGroup) -> StackGroupView:
    return StackGroupView(ranks=group.ranks, text=group.text)


def exec_view(key: AttemptKey, rank: int, result: ExecResult) -> ExecView:
    """Output as text where it is text."""
    encoding: Literal["utf-8", "base64"] = "utf-8"
    try:
        stdout, stderr = result.stdout.decode(), result.stderr.decode()
    except UnicodeDecodeError:
        encoding = "base64"
        stdout, stderr = (
            base64.b64encode(each).decode() for each in (result.stdout, result.stderr)
        )
    return ExecView(
        job=key.gang,
        attempt=key.attempt,
        rank=rank,
        exit_code=result.exit_code,
        stdout=stdout,
        stderr=stderr,
        encoding=encoding,
        dropped_bytes=result.dropped_bytes,
        overdue=result.overdue,
    )
