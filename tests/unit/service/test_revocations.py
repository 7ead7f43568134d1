"""Streams end when the key that they were opened with is revoked."""

import asyncio
from collections.abc import AsyncGenerator

from gigawatt.service.revocations import Revocations, while_good


async def numbers(closed: list[bool]) -> AsyncGenerator[int]:
    try:
        yield 1
        yield 2
        await asyncio.Event().wait()
    finally:
        closed.append(True)


def test_a_stream_ends_when_its_key_is_revoked_and_no_other_does() -> None:
    async def scenario() -> None:
        revocations, closed = Revocations(), list[bool]()
        stream = while_good(revocations, "key-1", numbers(closed))
        assert [await anext(stream), await anext(stream)] == [1, 2]
        waiting = asyncio.create_task(anext(stream, None))
        revocations.tell("key-2")
        await asyncio.sleep(0)
        assert not waiting.done()
        revocations.tell("key-1")
        assert await waiting is None
        assert closed == [True]

    asyncio.run(scenario())


def test_a_stream_that_ends_by_itself_is_whole() -> None:
    async def three() -> AsyncGenerator[int]:
        for number in range(3):
            yield number

    async def scenario() -> None:
        stream = while_good(Revocations(), "key-1", three())
        assert [number async for number in stream] == [0, 1, 2]

    asyncio.run(scenario())


def test_what_is_opened_after_the_revocation_is_told_at_once() -> None:
    revocations = Revocations()
    revocations.tell("key-1")
    with revocations.watch("key-1") as revoked, revocations.watch("key-2") as other:
        assert revoked.is_set()
        assert not other.is_set()
