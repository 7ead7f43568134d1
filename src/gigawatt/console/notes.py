"""A note that one page leaves for the next: what was just done, said once. It travels in a cookie for a few seconds."""

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from gigawatt.console.navigation import BASE

COOKIE = "gw-note"
NOTE_S = 30
NOTE_CHARS_MAX = 300


def leave_note(response: Response, said: str) -> None:
    """Leave a note; an empty one takes back what was left."""
    response.set_cookie(
        COOKIE,
        quote(said[:NOTE_CHARS_MAX]),
        max_age=NOTE_S if said else 0,
        path=BASE,
        httponly=True,
        samesite="strict",
    )


def taken_note(request: Request) -> str:
    """What the page before has left; empty for nothing."""
    return unquote(request.cookies.get(COOKIE, ""))[:NOTE_CHARS_MAX]
