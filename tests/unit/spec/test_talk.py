"""The messages of a connection to a rank, and the room that each side has."""

import pytest

from gigawatt.spec.talk import (
    INPUT,
    OUTPUT,
    ROOM_BYTES,
    TAKEN_BYTES,
    Inbox,
    Message,
    Room,
    TalkError,
    frame,
    parse_frame,
    parse_text,
    text_of,
)


def test_messages_come_back_as_they_were_sent() -> None:
    assert parse_frame(frame(OUTPUT, b"abc")) == (OUTPUT, b"abc")
    assert parse_frame(frame(INPUT, b"")) == (INPUT, b"")
    sent = Message(name="taken", fields={"channel": 1, "bytes": 7})
    assert parse_text(text_of(sent.name, sent.fields)) == sent
    assert parse_text('{"signal": "INT"}') == Message(name="signal", fields={"value": "INT"})


@pytest.mark.parametrize("text", ["", "[]", "{}", "1", '{"a": 1, "b": 2}', "{", "[" * 100_000])
def test_text_that_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(TalkError):
        parse_text(text)


def test_a_frame_without_a_channel_is_refused() -> None:
    for message in (b"", b"\x03", b"abc"):
        with pytest.raises(TalkError):
            parse_frame(message)


@pytest.mark.parametrize("value", [None, "1", True, 1.5])
def test_what_should_be_a_number_must_be_one(value: object) -> None:
    with pytest.raises(TalkError):
        Message(name="window", fields={"rows": value}).number("rows")


def test_what_was_sent_has_room_again_once_it_is_taken() -> None:
    room, inbox = Room(), Inbox()
    room.use(ROOM_BYTES)
    inbox.add(bytes(ROOM_BYTES))
    assert room.bytes == 0
    assert inbox.taken(1) == 0
    told = inbox.taken(TAKEN_BYTES)
    assert told == TAKEN_BYTES + 1
    room.gain(told)
    assert room.bytes == told
    inbox.add(bytes(told))
    with pytest.raises(TalkError, match="room"):
        inbox.add(b"x")


def test_room_that_was_never_used_cannot_come_back() -> None:
    room = Room()
    with pytest.raises(TalkError):
        room.gain(1)
    room.use(5)
    with pytest.raises(TalkError):
        room.gain(6)
    with pytest.raises(TalkError):
        room.gain(0)


def test_nothing_comes_after_the_end_of_a_channel() -> None:
    inbox = Inbox()
    inbox.add(b"a")
    inbox.add(b"")
    assert inbox.ended
    assert inbox
    assert inbox.take() == b"a"
    assert not inbox
    with pytest.raises(TalkError):
        inbox.add(b"b")
