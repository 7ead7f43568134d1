from gigawatt.twin.events import Events


def test_events_come_by_time_and_then_in_the_order_in_which_they_were_added() -> None:
    events = Events[str]()
    for at_ms, name in ((5, "c"), (3, "a"), (5, "d"), (3, "b"), (9, "e")):
        events.add(at_ms, name)
    assert events.next_ms == 3
    assert events.take(5) == ["a", "b", "c", "d"]
    assert events.take(8) == []
    assert events.take(9) == ["e"]
    assert events.next_ms is None
