from typing import Any

import pytest

from gigawatt.gateway.affinity import Affinity, affinity_of
from gigawatt.model.endpoint import Routing
from gigawatt.routing.prefix import BLOCK_BYTES

SYSTEM = {"role": "system", "content": "s" * 3 * BLOCK_BYTES}


def prefix(**fields: Any) -> Affinity | None:
    return affinity_of(Routing.PREFIX, fields, {})


def common(one: Affinity | None, two: Affinity | None) -> int:
    assert one is not None
    assert two is not None
    pairs = zip(one.blocks, two.blocks, strict=False)
    return next(
        (n for n, (a, b) in enumerate(pairs) if a != b), min(len(one.blocks), len(two.blocks))
    )


def chat(text: str, **more: Any) -> Affinity | None:
    return prefix(messages=[SYSTEM, {"role": "user", "content": text}], **more)


def test_chats_that_begin_alike_share_blocks() -> None:
    assert common(chat("x" * 999), chat("y" * 999)) == 3
    assert common(chat("x" * 999), chat("x" * 999, tools=[{"name": "t" * 999}])) == 0
    parts = prefix(messages=[SYSTEM, {"role": "user", "content": [{"type": "text", "text": "x"}]}])
    assert common(chat("x" * 999), parts) == 3


def test_prompts_are_text_or_tokens() -> None:
    assert common(prefix(prompt="p" * 600), prefix(prompt="p" * 999)) == 2
    assert prefix(prompt=list(range(999))) is not None


@pytest.mark.parametrize("fields", [{}, {"prompt": "short"}, {"messages": []}, {"input": "text"}])
def test_what_is_short_or_has_no_prompt_is_drawn_nowhere(fields: dict[str, Any]) -> None:
    assert affinity_of(Routing.PREFIX, fields, {}) is None


@pytest.mark.parametrize("content", [None, 7, {"a": 1}, "\ud800" * 999, ["a", None]])
def test_whatever_a_message_holds_is_only_bytes(content: object) -> None:
    messages = [SYSTEM, {"role": 3, "content": content}, content]
    assert common(prefix(messages=messages), chat("x")) >= 3


def test_a_session_is_a_header_or_a_field() -> None:
    def session(fields: dict[str, Any], headers: dict[bytes, bytes]) -> Affinity | None:
        return affinity_of(Routing.SESSION, fields, headers)

    assert session({"user": "u"}, {b"x-session-id": b"s"}) == Affinity(name=b"s")
    assert session({"user": "u"}, {}) == Affinity(name=b"u")
    assert session({"user": "u", "prompt_cache_key": "k"}, {}) == Affinity(name=b"k")
    assert session({"user": 7}, {}) is None
    assert affinity_of(Routing.LEAST, {"user": "u"}, {b"x-session-id": b"s"}) is None
