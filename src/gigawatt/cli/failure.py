"""What went wrong, in one or two lines, and the exit code that goes with it. Nobody sees a traceback.

0 done, 1 the thing failed, 2 the request was wrong, 130 interrupted, 141 nobody reads the output any more.
"""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches

import click
from click.exceptions import NoSuchCommand, NoSuchOption

from gigawatt.cli.colour import painted
from gigawatt.model.refusal import Fault, RefusalCode, RefusalError

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
FAULTS_SHOWN_MAX = 8
DEBUG = "GIGAWATT_DEBUG"  # set, it lets a traceback through
_WORLDS = {RefusalCode.DISK_FULL, RefusalCode.UNAVAILABLE, RefusalCode.LIMIT}


def exit_code_of(error: BaseException) -> int:
    """Say what went wrong on stderr, and return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else DONE
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return INTERRUPTED
    if os.environ.get(DEBUG):
        raise error
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, RefusalError):
        say_error(error.detail, error.hint, error.faults)
        return FAILED if error.code in _WORLDS else WRONG
    return _from_sdk(error)


def say_error(detail: str, hint: str = "", faults: Iterable[Fault] = ()) -> None:
    """`error: …` and `hint: …`; further faults each on a line of their own."""
    listed = tuple(faults)
    if len(listed) > 1:
        for fault in listed[:FAULTS_SHOWN_MAX]:
            _line("error", "red", fault.detail)
            if fault.hint:
                _line("hint", "cyan", fault.hint)
        if len(listed) > FAULTS_SHOWN_MAX:
            _line("error", "red", f"and {len(listed) - FAULTS_SHOWN_MAX} more")
        return
    _line("error", "red", detail)
    if hint:
        _line("hint", "cyan", hint)


def _line(label: str, colour: str, text: str) -> None:
    click.echo(f"{painted(label, colour, bold=True)}: {text}", err=True)


def _usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "gw"
    hint = f"{path} --help"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return WRONG
    if isinstance(error, NoSuchCommand):
        detail = f"no such command: {path} {error.command_name}"
        hint = _meant([f"{path} {each}" for each in error.possibilities or ()]) or hint
    elif isinstance(error, NoSuchOption):
        detail = f"no such option of {path}: {error.option_name}"
        hint = _meant(error.possibilities or ()) or hint
    else:
        detail = _plain(error.format_message())
        hint = _choice_hint(error) or hint
    say_error(detail, hint)
    return error.exit_code


def _choice_hint(error: click.ClickException) -> str:
    """The nearest of the allowed values; click's message already names all of them."""
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param else None
    found = re.match(r"'(.*)' is not one of", error.message)
    if not isinstance(kind, click.Choice) or not found:
        return ""
    return _meant(get_close_matches(found[1], [str(each) for each in kind.choices], n=1))


def _meant(possibilities: Iterable[str]) -> str:
    named = " or ".join(f"`{each}`" for each in possibilities)
    return f"did you mean {named}?" if named else ""


def _plain(message: str) -> str:
    """A sentence of click as the rest of a line."""
    text = message.rstrip(".")
    return text[:1].lower() + text[1:]


def _from_sdk(error: BaseException) -> int:
    from gigawatt.sdk.errors import ApiError, GigawattError  # after click's own errors: loads more

    if isinstance(error, ApiError):
        problem = error.problem
        detail = str(error)
        if problem.field and problem.field not in detail:
            detail = f"{problem.field}: {detail}"
        say_error(detail, error.hint, problem.faults)
        return WRONG if _is_wrong(error.status, named_inside=bool(problem.field)) else FAILED
    if isinstance(error, GigawattError):
        say_error(str(error), error.hint)
        return FAILED
    if isinstance(error, TimeoutError):
        say_error(str(error))
        return FAILED
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        say_error(f"{error.strerror or error}{where}")
        return FAILED
    if isinstance(error, Exception):
        hint = f"this is a mistake in gigawatt; {DEBUG}=1 shows where"
        say_error(f"{type(error).__name__}: {error}", hint)
        return FAILED
    raise error


def _is_wrong(status: int, *, named_inside: bool) -> bool:
    """Whether the request itself was wrong. A thing that is not there is a failure, unless a field names it."""
    if status == 404:
        return named_inside
    return 400 <= status < 500 and status not in {408, 429}
