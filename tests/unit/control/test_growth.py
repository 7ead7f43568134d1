"""Elastic jobs through the production cycle: asked to save, and started again on more nodes."""

from gigawatt.model.action import Action, NotifyAttempt
from gigawatt.model.attempt import Verdict
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import Policy
from tests.loop import Loop
from tests.machines import Machines, a_report

EVERY_MS = 900_000
MINUTE_MS = 60_000


class Told(Machines):
    """Remembers every action."""

    def __init__(self, *names: str) -> None:
        super().__init__({name: a_report(name, gpus=1, rack=f"r-{name}") for name in names})
        self.actions: list[Action] = []
        self.slow = False  # what is asked to stop goes on

    def stop(self, key: AttemptKey) -> None:
        if not self.slow:
            super().stop(key)

    def carry_out(self, action: Action) -> None:
        self.actions.append(action)
        super().carry_out(action)

    @property
    def asked(self) -> list[AttemptKey]:
        return [each.key for each in self.actions if isinstance(each, NotifyAttempt)]


def a_loop(*names: str, policy: Policy | None = None) -> tuple[Loop, Told]:
    machines = Told(*names)
    loop = Loop(machines, policy=policy or Policy())
    loop.restart()
    return loop, machines


def spec(least: int, most: int, *, priority: int = 0) -> JobSpec:
    return JobSpec(
        name="job",
        command=("true",),
        shape=Shape(nodes_min=least, nodes_max=most, per_node=Resources(milli_gpu=1_000)),
        environment="host",
        priority=priority,
        retries_infrastructure=0,
    )


def save(loop: Loop, machines: Machines, attempt: int, step: int) -> None:
    machines.checkpoint(AttemptKey(gang="grower", attempt=attempt), step)
    loop.step()


def small() -> tuple[Loop, Told]:
    """Three nodes; an elastic job of two to three runs on two of them, beside one that keeps the third."""
    loop, machines = a_loop("n1", "n2", "n3")
    loop.submit(spec(1, 1), id="other")
    loop.submit(spec(2, 3), id="grower")
    loop.later(MINUTE_MS)
    save(loop, machines, 1, 1)
    return loop, machines


def leave(loop: Loop, machines: Machines) -> None:
    machines.exit(AttemptKey(gang="other", attempt=1), 0)
    loop.step()


def grower(loop: Loop) -> Job:
    return loop.job("grower")


def test_it_is_asked_to_save_when_there_is_room_and_starts_larger_once_it_has() -> None:
    loop, machines = small()
    loop.later(EVERY_MS)
    leave(loop, machines)
    assert machines.asked == [AttemptKey(gang="grower", attempt=1)]
    assert len(grower(loop).attempts) == 1
    loop.later(5_000)
    save(loop, machines, 1, 2)
    first, second = grower(loop).attempts
    assert (first.verdict, first.charged_to, first.stopped_for) == (
        Verdict.PREEMPTION,
        "",
        "grower",
    )
    assert [fact.detail for fact in first.evidence] == [
        "stopped at the checkpoint of step 2, to go on with 3 nodes instead of 2"
    ]
    assert sorted(second.nodes) == ["n1", "n2", "n3"]
    assert second.resumed_from is not None
    assert second.resumed_from.step == 2
    assert grower(loop).phase is JobPhase.RUNNING
    assert grower(loop).claim is None
    kinds = [event.kind for event in loop.events if event.subject == "grower"]
    assert kinds.count("job.grow_asked") == kinds.count("job.grows") == 1
    assert loop.unaccounted() == 0


def test_it_grows_at_a_checkpoint_of_its_own_without_being_asked() -> None:
    loop, machines = small()
    leave(loop, machines)
    loop.later(EVERY_MS)
    save(loop, machines, 1, 2)
    assert machines.asked == []
    assert len(grower(loop).attempts[-1].nodes) == 3


def test_it_is_asked_once_in_a_while_and_not_stopped_without_a_checkpoint() -> None:
    loop, machines = small()
    loop.later(EVERY_MS)
    leave(loop, machines)
    for _ in range(14):
        loop.later(MINUTE_MS)
        loop.step()
    assert len(machines.asked) == 1
    loop.later(MINUTE_MS)
    loop.step()
    assert len(machines.asked) == 2
    assert len(grower(loop).attempts) == 1


def test_it_grows_once_in_a_while() -> None:
    loop, machines = a_loop("n1", "n2", "n3")
    loop.submit(spec(1, 1), id="other")
    loop.submit(spec(1, 3, priority=-1), id="grower")
    loop.later(2 * EVERY_MS)
    save(loop, machines, 1, 1)
    assert len(grower(loop).attempts) == 1  # it has all that is free
    loop.submit(spec(1, 1), id="late")
    assert loop.job("late").phase is JobPhase.QUEUED
    leave(loop, machines)
    assert loop.job("late").phase is JobPhase.RUNNING
    machines.exit(AttemptKey(gang="late", attempt=1), 0)
    loop.step()
    save(loop, machines, 1, 2)
    assert len(grower(loop).attempts[-1].nodes) == 3
    assert len(grower(loop).attempts) == 2


def test_it_takes_no_room_that_somebody_who_waits_could_use() -> None:
    loop, machines = small()
    loop.submit(spec(3, 3), id="large")
    loop.later(EVERY_MS)
    leave(loop, machines)
    save(loop, machines, 1, 2)
    assert machines.asked == []
    assert len(grower(loop).attempts) == 1


def test_it_does_not_grow_for_less_than_its_start_costs() -> None:
    loop, machines = a_loop("n1", "n2", "n3", policy=Policy(restart_ms=2 * EVERY_MS))
    loop.submit(spec(1, 1), id="other")
    loop.submit(spec(2, 3), id="grower")
    leave(loop, machines)
    loop.later(2 * EVERY_MS)
    save(loop, machines, 1, 1)
    assert len(grower(loop).attempts) == 1
    loop.later(4 * EVERY_MS)  # a third less of as long again: as much as the start costs
    save(loop, machines, 1, 2)
    assert len(grower(loop).attempts[-1].nodes) == 3


def test_one_that_has_never_saved_is_left_alone() -> None:
    loop, machines = a_loop("n1", "n2", "n3")
    loop.submit(spec(1, 1), id="other")
    loop.submit(spec(2, 3), id="grower")
    leave(loop, machines)
    loop.later(4 * EVERY_MS)
    loop.step()
    assert machines.asked == []


def test_policies_may_turn_it_off() -> None:
    loop, machines = a_loop("n1", "n2", policy=Policy(grow_every_ms=0))
    loop.submit(spec(1, 1), id="other")
    loop.submit(spec(1, 2), id="grower")
    leave(loop, machines)
    loop.later(4 * EVERY_MS)
    save(loop, machines, 1, 1)
    assert len(grower(loop).attempts) == 1


def test_where_a_node_of_its_larger_place_goes_while_it_stops_it_starts_on_those_there_are() -> (
    None
):
    loop, machines = small()
    leave(loop, machines)
    loop.later(EVERY_MS)
    machines.slow = True
    save(loop, machines, 1, 2)
    assert grower(loop).phase is JobPhase.STOPPING
    (extra,) = {"n1", "n2", "n3"} - {*grower(loop).attempts[0].nodes}
    machines.lose(extra)
    loop.step()
    machines.slow = False
    machines.stop(AttemptKey(gang="grower", attempt=1))
    loop.step()
    assert grower(loop).phase is JobPhase.RUNNING
    assert grower(loop).attempts[-1].nodes == grower(loop).attempts[0].nodes


def test_a_new_leader_goes_on_where_the_last_one_was() -> None:
    loop, machines = small()
    loop.later(EVERY_MS)
    leave(loop, machines)
    loop.restart()
    loop.later(5_000)
    save(loop, machines, 1, 2)
    assert machines.asked == [AttemptKey(gang="grower", attempt=1)]
    assert len(grower(loop).attempts[-1].nodes) == 3


def test_a_step_of_several_parts_is_waited_for() -> None:
    loop, machines = small()
    leave(loop, machines)
    for rank in (0, 1):
        machines.checkpoint(AttemptKey(gang="grower", attempt=1), 2, rank=rank)
        loop.step()
    loop.later(EVERY_MS)
    machines.checkpoint(AttemptKey(gang="grower", attempt=1), 3, rank=0)
    loop.step()
    assert len(grower(loop).attempts) == 1
    machines.checkpoint(AttemptKey(gang="grower", attempt=1), 3, rank=1)
    loop.step()
    assert len(grower(loop).attempts[-1].nodes) == 3
