"""What can go wrong in a call: the API refused it, nothing answered, or the job itself failed.

What is wrong with an input before anything is sent is a `RefusalError`, the same value that the API's own refusals
are made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gigawatt.model.refusal import Fault

PROBLEM_PREFIX = "urn:gigawatt:problem:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An RFC 9457 problem as the API sent it. `code` is the last part of `type`, e.g. `not-found`."""

    status: int
    code: str
    type: str = ""
    title: str = ""
    detail: str = ""
    hint: str = ""
    field: str = ""
    faults: tuple[Fault, ...] = ()


class GigawattError(Exception):
    """Everything that a call of this client raises by itself; `hint` says what to do next."""

    hint: str = ""


class ApiError(GigawattError):
    """The API refused or failed the call. Nothing has changed unless the status is 500 or above."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title or f"HTTP {problem.status}")
        self.problem = problem
        self.hint = problem.hint

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> str:
        return self.problem.code


class UnreachableError(GigawattError):
    """Nothing answered at the API's address, or the connection broke and stayed broken."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.hint = hint


class JobFailedError(GigawattError):
    """A job that was waited for has failed or was cancelled; `job_id`, `phase` and `message` say how."""

    def __init__(self, *, job_id: str, name: str, phase: str, message: str) -> None:
        super().__init__(f"{name} ({job_id}) {phase}: {message}" if message else f"{name} {phase}")
        self.job_id = job_id
        self.phase = phase
        self.hint = f"gw explain {name}"


class RemoteError(GigawattError):
    """What a job's function raised, where the exception itself cannot be made again here.

    `kind` is the name of its class, `remote_traceback` the traceback as the rank printed it.
    """

    def __init__(self, *, kind: str, message: str, remote_traceback: str) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.remote_traceback = remote_traceback


class RemoteTraceback(Exception):  # noqa: N818 - what concurrent.futures calls its own
    """The cause of an exception that came from a rank: its traceback there, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class ResultError(GigawattError):
    """A result is missing, damaged, cannot be loaded by this Python, or is not to be trusted."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.hint = hint


def problem_of(status: int, body: Any, text: str) -> Problem:
    """The problem in a response; whatever is not one becomes a problem with the text it came with."""
    if not isinstance(body, Mapping):
        detail = text.strip().splitlines()[0][:200] if text.strip() else ""
        return Problem(status=status, code="", title=f"HTTP {status}", detail=detail)
    fields = cast("Mapping[str, Any]", body)
    kind = _text(fields, "type")
    return Problem(
        status=status,
        code=kind.removeprefix(PROBLEM_PREFIX) if kind.startswith(PROBLEM_PREFIX) else "",
        type=kind,
        title=_text(fields, "title"),
        detail=_text(fields, "detail"),
        hint=_text(fields, "hint"),
        field=_text(fields, "field"),
        faults=tuple(_fault(each) for each in fields.get("faults") or ()),
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _fault(fields: Mapping[str, Any]) -> Fault:
    return Fault(
        field=_text(fields, "field"), detail=_text(fields, "detail"), hint=_text(fields, "hint")
    )
