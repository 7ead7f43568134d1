"""`gw chat`: talk to an endpoint in the terminal."""

import importlib
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.complete import endpoint_names
from gigawatt.cli.failure import FAILED, say_error
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.chat import Conversation

QUIT, NEW, HISTORY, HELP = "/quit", "/new", "/history", "/help"
ABOUT = f"{QUIT} ends, {NEW} begins anew, {HISTORY} shows what was said; Ctrl-C stops an answer."


@click.command("chat")
@click.argument("name", metavar="ENDPOINT", shell_complete=endpoint_names)
@click.argument("question", nargs=-1)
@click.option("--system", default="", metavar="TEXT", help="What the model is told first.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="Default: the runtime's.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Of an answer, at most.")
@with_project
@with_session
def chat(
    session: Session,
    *,
    name: str,
    question: tuple[str, ...],
    system: str,
    temperature: float | None,
    max_tokens: int | None,
) -> None:
    """Talk to ENDPOINT. With a QUESTION, print its answer and end; else read questions, one a line."""
    from gigawatt.sdk.chat import Conversation

    view = session.client.endpoints.find(name)
    given = {"temperature": temperature, "max_tokens": max_tokens}
    options: dict[str, Any] = {key: each for key, each in given.items() if each is not None}
    talk = Conversation(
        address=session.client.address,
        url=view["url"],
        model=view["served_name"],
        options=options,
        messages=[{"role": "system", "content": system}] if system else [],
    )
    if question:
        _answer(session, talk, " ".join(question))
        if session.as_json:
            session.show_json({"model": talk.model, "messages": talk.messages})
        return
    if session.as_json:
        raise click.UsageError("with -o json, give the question: gw chat ENDPOINT QUESTION")
    _converse(session, talk)


def _converse(session: Session, talk: "Conversation") -> None:
    from gigawatt.sdk.errors import GigawattError

    asks = sys.stdin.isatty()
    system = list(talk.messages)
    if asks:
        with suppress(ImportError):
            importlib.import_module("readline")  # gives `input` lines to edit and to recall
        session.say(f"{talk.model}: {ABOUT}")
    while (line := _next_line(asks=asks)) is not None:
        match line.strip():
            case "":
                continue
            case "/quit" | "/exit":
                return
            case "/new":
                talk.messages[:] = system
            case "/history":
                _show(talk)
            case "/help":
                session.say(ABOUT)
            case text:
                try:
                    _answer(session, talk, text)
                except GigawattError as error:
                    say_error(str(error), error.hint)
                    if not asks:
                        raise click.exceptions.Exit(FAILED) from error


def _next_line(*, asks: bool) -> str | None:
    """None at the end. Ctrl-C on an empty line ends too."""
    try:
        return input("> " if asks else "")
    except (EOFError, KeyboardInterrupt):
        if asks:
            click.echo()
        return None


def _show(talk: "Conversation") -> None:
    for message in talk.messages:
        click.echo(f"{message['role']}: {message['content']}")


def _answer(session: Session, talk: "Conversation", text: str) -> None:
    """Print the answer as it comes. Ctrl-C ends it, and the conversation goes on with what has come."""
    from gigawatt.cli.following import told

    pieces = talk.ask(text)
    begun = False
    with _stoppable() as stopped:
        try:
            with told(session) as tell:
                for piece in pieces:
                    if piece.text:
                        begun = True
                        _print(session, piece.text)
                        break
                    tell(piece.waits)
            for piece in pieces:
                _print(session, piece.text)
        except KeyboardInterrupt:
            stopped.append(True)
    if isinstance(pieces, Generator):
        pieces.close()
    if begun and not session.as_json:
        click.echo(" …" if stopped else "")


def _print(session: Session, text: str) -> None:
    if not session.as_json:
        click.echo(text, nl=False)
        sys.stdout.flush()


@contextmanager
def _stoppable() -> Generator[list[bool]]:
    """Where Ctrl-C raises KeyboardInterrupt, also in a program that was started with it ignored."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield []
    finally:
        signal.signal(signal.SIGINT, before)
