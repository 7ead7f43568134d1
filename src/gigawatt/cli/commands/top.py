"""`gw top`: the site live in a terminal; once and whole where there is none, or for programs."""

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from gigawatt import clock
from gigawatt.cli.session import Session, with_project, with_session
from gigawatt.cli.top_look import SORTS, Look, look, rates
from gigawatt.cli.top_picture import Wish, picture

if TYPE_CHECKING:
    from rich.console import Group

EVERY_S = 5.0  # also without events: figures move by themselves
PAUSE_S = 1.0  # between looks, however many events there are
KEYS_S = 0.1
KEY_BYTES = 64
BACK = ("\x7f", "\b")
ESCAPE, ENTER = "\x1b", ("\r", "\n")
UP, DOWN = "\x1b[A", "\x1b[B"
SCROLL = 5


@click.command("top")
@click.option(
    "--once", is_flag=True, help="Print it once and leave, as where there is no terminal."
)
@click.option(
    "--sort",
    type=click.Choice(list(SORTS)),
    help="Jobs by this; default: newest first, and the line.",
)
@click.option(
    "--filter",
    "words",
    default="",
    help="Only what has these words in a name, project, phase or id.",
)
@with_project
@with_session
def top(session: Session, *, once: bool, sort: str | None, words: str) -> None:
    """Watch the site: goodput, GPUs, what runs, who waits and until when, endpoints, nodes that take no gangs.

    Keys: q leaves, s sorts by the next column, r turns the order round, / filters, arrows scroll. With -o json: one object.
    """
    wish = Wish(sort=sort or "", words=words)
    if session.as_json:
        session.show_json(look(session.client, clock.now_ms()))
        return
    if once or not (sys.stdout.isatty() and sys.stdin.isatty()):
        _print(session, wish)
        return
    Screen(session, wish).run()


def typed(wish: Wish, keys: str) -> bool:
    """Take keys that came together; false once it is to end."""
    if keys in {UP, DOWN}:
        wish.first = max(0, wish.first + (SCROLL if keys == DOWN else -SCROLL))
        return True
    if keys.startswith(ESCAPE):
        wish.words, wish.typing, wish.first = "", False, 0
        return True
    for key in keys:
        if wish.typing:
            _filter(wish, key)
        elif key in "q\x03":
            return False
        else:
            _command(wish, key)
    return True


class Screen:
    """A picture that is kept current by events and by time, and what keys do to it."""

    def __init__(self, session: Session, wish: Wish) -> None:
        self._session = session
        self._wish = wish
        self._before: Look | None = None
        self._now = look(session.client, clock.now_ms())
        self._news = threading.Event()

    def run(self) -> None:
        """Until a key ends it."""
        from rich.live import Live

        from gigawatt.cli.style import stdout

        threading.Thread(target=self._follow, daemon=True).start()
        console = stdout()
        looked_s = clock.monotonic_s()
        with (
            _keys(),
            Live(
                console=console, get_renderable=self._picture, screen=True, auto_refresh=False
            ) as live,
        ):
            live.refresh()
            while True:
                keys = _pressed(KEYS_S)
                if keys and not typed(self._wish, keys):
                    return
                since_s = clock.monotonic_s() - looked_s
                due = since_s >= EVERY_S or (self._news.is_set() and since_s >= PAUSE_S)
                if due:
                    self._news.clear()
                    self._look()
                    looked_s = clock.monotonic_s()
                if keys or due:
                    live.refresh()

    def _look(self) -> None:
        """Anew; what fails is said, and the last picture stays."""
        from gigawatt.sdk.errors import ApiError, UnreachableError

        try:
            now = look(self._session.client, clock.now_ms())
        except (ApiError, UnreachableError) as error:
            self._wish.fault = str(error)
            return
        self._before, self._now, self._wish.fault = self._now, now, ""

    def _follow(self) -> None:
        """In a thread: events make the next look come sooner. Without them there is still one every few seconds."""
        from gigawatt.sdk.errors import ApiError, UnreachableError

        try:
            for _ in self._session.client.events.watch():
                self._news.set()
        except (ApiError, UnreachableError):
            return

    def _picture(self) -> "Group":
        from gigawatt.cli.style import stdout

        console = stdout()
        rate = rates(self._before, self._now)
        return picture(
            self._now, rate, self._wish, width=console.width, height=console.height, keys=True
        )


def _print(session: Session, wish: Wish) -> None:
    from gigawatt.cli.style import stdout

    console = stdout()
    now = look(session.client, clock.now_ms())
    console.print(picture(now, {}, wish, width=console.width))


def _filter(wish: Wish, key: str) -> None:
    if key in ENTER:
        wish.typing = False
    elif key in BACK:
        wish.words = wish.words[:-1]
    elif key.isprintable():
        wish.words, wish.first = wish.words + key, 0


def _command(wish: Wish, key: str) -> None:
    if key == "s":
        order = ["", *SORTS]
        wish.sort, wish.first = order[(order.index(wish.sort) + 1) % len(order)], 0
    elif key == "r":
        wish.reverse = not wish.reverse
    elif key == "/":
        wish.typing, wish.words = True, ""


@contextmanager
def _keys() -> Generator[None]:
    """Keys come one by one and are not shown; the terminal is given back as it was, however this ends."""
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number, termios.TCSANOW)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        termios.tcsetattr(number, termios.TCSANOW, before)


def _pressed(wait_s: float) -> str:
    """Keys that were pressed, if any were within that time."""
    number = sys.stdin.fileno()
    if not select.select([number], [], [], wait_s)[0]:
        return ""
    return os.read(number, KEY_BYTES).decode(errors="ignore") or "q"  # the terminal is gone
