"""Server-sent events, decoded."""

from gigawatt.sdk.watch import StreamEvent, decoded


def test_an_event_ends_at_the_blank_line_and_lines_of_data_are_joined() -> None:
    lines = ["id: 7", "event: job.running", "data: {", "data: }", "", "data: alone", ""]
    assert list(decoded(lines)) == [
        StreamEvent(event="job.running", data="{\n}", id="7"),
        StreamEvent(event="message", data="alone", id="7"),
    ]


def test_signs_of_life_and_unfinished_events_are_no_events() -> None:
    assert list(decoded([": alive", "", "event: job", "data: cut"])) == []


def test_only_the_first_space_is_not_data() -> None:
    (event,) = decoded(["data:  two", ""])
    assert event.data == " two"
