"""Tokens are renewed in time, and never asked for more often than that."""

import asyncio
import base64
import json

import pytest

from gigawatt.engine.slurm.client import SlurmRefusedError
from gigawatt.engine.slurm.tokens import Bearer, user_of


def a_token(number: int) -> str:
    claims = {"exp": 1, "iat": 0, "sun": "alice", "number": number}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.x"


class Source:
    good_s = 30.0

    def __init__(self) -> None:
        self.read_times = 0

    async def read(self) -> str:
        self.read_times += 1
        return a_token(self.read_times)


def test_a_token_is_kept_until_its_time_is_over_or_it_was_refused() -> None:
    async def tried() -> list[int]:
        now_s = 1000.0
        source = Source()
        bearer = Bearer(source, lambda: now_s)
        read: list[int] = []
        for step_s in (0, 29, 1, 29, 1):
            now_s += step_s
            headers = await bearer.headers()
            assert headers["X-SLURM-USER-TOKEN"] == a_token(source.read_times)
            read.append(source.read_times)
        bearer.refused()
        await bearer.headers()
        return [*read, source.read_times]

    assert asyncio.run(tried()) == [1, 1, 2, 2, 3, 4]


def test_a_request_is_the_tokens_user_or_another() -> None:
    async def tried() -> list[str]:
        bearer = Bearer(Source())
        return [(await bearer.headers(user))["X-SLURM-USER-NAME"] for user in ("", "bob")]

    assert asyncio.run(tried()) == ["alice", "bob"]


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.x"])
def test_what_is_no_token_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SlurmRefusedError, match="not one of Slurm's"):
        user_of(text)
