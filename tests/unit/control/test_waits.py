from gigawatt.control.waits import Waits
from gigawatt.model.reason import ReasonCode
from gigawatt.scheduler.decide import finish
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape, make_world


def waits(before: Waits | None = None, *, steps_max: int = 9) -> Waits:
    """Of two gangs that no node holds now, after a cycle of so much work."""
    jobs = [make_job(name, make_shape(count)) for name, count in (("a", 2), ("b", 3))]
    snapshot = encode_cold(make_world([make_node("n")], jobs), NOW_MS)
    return Waits.of(finish(snapshot, Policy(steps_max=steps_max)), before or {})


def test_every_waiting_gang_has_its_position_and_reason() -> None:
    told = waits()
    assert {gang: (wait.position, wait.reason.code) for gang, wait in told.items()} == {
        "a": (1, ReasonCode.IMPOSSIBLE),
        "b": (2, ReasonCode.IMPOSSIBLE),
    }
    assert (len(told), "c" in told) == (2, False)


def test_a_gang_that_a_cycle_did_not_get_to_waits_for_what_it_waited_for() -> None:
    assert waits(steps_max=1)["b"].reason.code is ReasonCode.NOT_CONSIDERED
    assert waits(waits(), steps_max=1)["b"] == waits()["b"]
