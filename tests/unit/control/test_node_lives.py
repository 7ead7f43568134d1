"""Nodes from their coming to their going, through the production cycle."""

from dataclasses import replace

import pytest

from gigawatt.model.action import Action, CheckNode, NotifyAttempt
from gigawatt.model.attempt import Verdict
from gigawatt.model.health import CheckResult, Outcome
from gigawatt.model.job import JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.ledger import TimeClass
from gigawatt.model.node import ASKABLE, NEXT_STATES, Node, NodeState
from gigawatt.model.observation import NodeChecked
from gigawatt.model.refusal import RefusalError
from gigawatt.model.upkeep import ChangeNode, RunChecks
from gigawatt.reconcile.node_life import REST_CLASS, WATCH
from gigawatt.reconcile.nodes import CHECKING_MS_MAX
from tests.loop import SITE, Loop, a_spec
from tests.machines import Machines, a_report

MINUTE_MS = 60_000


class Seeing(Machines):
    """Machines that remember what they were asked."""

    def carry_out(self, action: Action) -> None:
        self.asked.append(action)
        Machines.carry_out(self, action)

    asked: list[Action]


def seeing(loop: Loop) -> list[Action]:
    """What is asked of machines from now on."""
    asked: list[Action] = []
    machines = Seeing(loop.machines.reports, now_ms=loop.now_ms)
    machines.asked = asked
    machines.attempts = loop.machines.attempts
    loop.machines = machines
    return asked


def checked_site(*names: str) -> Loop:
    """Where nodes are checked before their first gang."""
    machines = Machines({name: a_report(name, milli_cpu=500) for name in names})
    loop = Loop(machines, site=replace(SITE, checks="quick"))
    loop.restart()
    return loop


def ask(loop: Loop, state: NodeState, node: str = "n1", *, by_ms: int = 0) -> Node:
    reply = loop.ask(ChangeNode(node=node, state=state, reason="fan", by="me", by_ms=by_ms))
    assert isinstance(reply, Node)
    return reply


def told(loop: Loop, outcome: Outcome, *, node: str = "n1", level: str = "quick") -> None:
    result = CheckResult(name="xid", outcome=outcome, at_ms=loop.now_ms, detail="Xid 79")
    seen = NodeChecked(at_ms=loop.now_ms, node=node, results=(result,), level=level)
    loop.step([seen])


def state(loop: Loop, node: str = "n1") -> NodeState:
    return loop.world.nodes[node].state


def first(gang: str = "job-1", attempt: int = 1) -> AttemptKey:
    return AttemptKey(gang=gang, attempt=attempt)


def test_every_state_leads_somewhere_and_the_ledger_has_a_class_for_it() -> None:
    assert set(NEXT_STATES) == set(NodeState) == set(REST_CLASS)
    reachable = {after for states in NEXT_STATES.values() for after in states}
    assert reachable == set(NodeState) - {NodeState.JOINING}
    assert all(states for states in NEXT_STATES.values())


def test_a_node_that_joins_takes_gangs_once_its_checks_are_well() -> None:
    loop = checked_site("n1")
    loop.submit(a_spec())
    assert (state(loop), loop.job().phase) == (NodeState.CHECKING, JobPhase.QUEUED)
    told(loop, Outcome.WARN)
    assert (state(loop), loop.job().phase) == (NodeState.READY, JobPhase.RUNNING)
    assert loop.world.nodes["n1"].checks[0].detail == "Xid 79"


def test_a_look_that_was_under_way_is_no_pass_of_its_checks() -> None:
    loop = checked_site("n1")
    told(loop, Outcome.OK, level="watch")
    assert state(loop) is NodeState.CHECKING


def test_a_drain_can_be_given_another_time() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    ask(loop, NodeState.DRAINING, by_ms=loop.now_ms + 60 * MINUTE_MS)
    ask(loop, NodeState.DRAINING, by_ms=loop.now_ms + MINUTE_MS)
    loop.later(MINUTE_MS)
    loop.step()
    assert state(loop) is NodeState.EMPTY


def test_a_node_whose_checks_fail_is_cordoned_with_what_failed() -> None:
    loop = checked_site("n1")
    told(loop, Outcome.FAIL)
    node = loop.world.nodes["n1"]
    assert (node.state, node.by) == (NodeState.CORDONED, WATCH)
    assert node.reason == "check xid failed: Xid 79"


def test_checks_that_do_not_end_in_time_are_no_pass() -> None:
    loop = checked_site("n1")
    loop.later(CHECKING_MS_MAX - 1)
    loop.step()
    assert state(loop) is NodeState.CHECKING
    loop.later(1)
    loop.step()
    assert state(loop) is NodeState.CORDONED


def test_a_new_leader_asks_again_for_checks_that_were_under_way() -> None:
    loop = checked_site("n1")
    asked = seeing(loop)
    loop.restart()
    assert CheckNode(node="n1", level="quick") in asked
    told(loop, Outcome.OK)
    assert state(loop) is NodeState.READY


def test_a_node_that_comes_back_is_checked_before_it_takes_gangs_again() -> None:
    loop = checked_site("n1")
    told(loop, Outcome.OK)
    loop.machines.lose("n1")
    loop.step()
    loop.machines.back("n1")
    loop.step()
    assert state(loop) is NodeState.CHECKING
    told(loop, Outcome.OK)
    assert state(loop) is NodeState.READY


def test_a_ready_node_that_fails_a_check_takes_no_new_gangs_and_keeps_its_own() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    told(loop, Outcome.FAIL)
    assert (state(loop), loop.job().phase) == (NodeState.CORDONED, JobPhase.RUNNING)


def test_what_a_check_says_is_told_once() -> None:
    loop = Loop.of(a_report("n1"))
    for outcome in (Outcome.WARN, Outcome.WARN, Outcome.OK, Outcome.WARN):
        told(loop, outcome)
    assert [event.kind for event in loop.events].count("node.check_failed") == 2


def test_draining_by_a_time_asks_for_a_checkpoint_and_loses_nothing() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    asked = seeing(loop)
    by_ms = loop.now_ms + 10 * MINUTE_MS
    assert ask(loop, NodeState.DRAINING, by_ms=by_ms).state is NodeState.DRAINING
    assert NotifyAttempt(key=first(), checkpoint_by_ms=by_ms) in asked
    loop.later(MINUTE_MS)
    loop.step()
    assert loop.job().phase is JobPhase.RUNNING
    loop.machines.checkpoint(first(), 10)
    loop.step()
    ended = loop.job().attempts[0]
    assert (ended.verdict, ended.charged_to) == (Verdict.PREEMPTION, "")
    assert [fact.what for fact in ended.evidence] == ["drained"]
    assert state(loop) is NodeState.EMPTY
    redone = [e for e in loop.entries if e.time_class is TimeClass.REDONE]
    assert sum(entry.unit_ms for entry in redone) == 0


def test_what_has_not_saved_by_the_deadline_is_stopped_then() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    ask(loop, NodeState.DRAINING, by_ms=loop.now_ms + 10 * MINUTE_MS)
    loop.restart()
    loop.later(10 * MINUTE_MS - 1)
    loop.step()
    assert loop.job().phase is JobPhase.RUNNING
    loop.later(1)
    loop.step()
    assert loop.job().attempts[0].verdict is Verdict.PREEMPTION
    assert state(loop) is NodeState.EMPTY


def test_a_node_goes_through_repair_and_checks_back_into_use() -> None:
    loop = checked_site("n1", "n2")
    for node in ("n1", "n2"):
        told(loop, Outcome.OK, node=node)
    loop.submit(a_spec())
    node = loop.job().attempts[0].nodes[0]
    with pytest.raises(RefusalError, match="gangs run on node"):
        ask(loop, NodeState.REPAIR, node)
    ask(loop, NodeState.DRAINING, node)
    assert state(loop, node) is NodeState.EMPTY
    ask(loop, NodeState.REPAIR, node)
    with pytest.raises(RefusalError, match="it takes nothing already"):
        ask(loop, NodeState.DRAINING, node)
    loop.machines.lose(node)  # someone pulls it
    loop.step()
    assert state(loop, node) is NodeState.REPAIR
    loop.machines.back(node)
    loop.step()
    assert ask(loop, NodeState.READY, node).state is NodeState.CHECKING
    told(loop, Outcome.OK, node=node)
    assert state(loop, node) is NodeState.READY
    assert loop.unaccounted() == 0


def test_a_retired_node_counts_for_nothing_until_it_is_opened_again() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"))
    ask(loop, NodeState.RETIRED)
    assert loop.world.accounts["n1"].installed == 0
    loop.machines.told.append(loop.machines.found().observations[0])  # it still reports
    loop.step()
    assert loop.world.accounts["n1"].installed == 0
    loop.submit(a_spec())
    assert loop.job().attempts[0].nodes == ("n2",)
    assert ask(loop, NodeState.READY).state is NodeState.READY
    assert loop.world.accounts["n1"].installed == 2_000
    assert loop.unaccounted() == 0


def test_an_elastic_gang_goes_on_from_its_checkpoint_on_the_nodes_that_are_left() -> None:
    loop = Loop.of(*(a_report(f"n{number}", milli_cpu=500) for number in range(1, 5)))
    shape = replace(a_spec().shape, nodes_min=2, nodes_max=4)
    loop.submit(replace(a_spec(), shape=shape))
    assert len(loop.job().attempts[0].nodes) == 4
    loop.machines.checkpoint(first(), 10)
    loop.step()
    loop.machines.lose("n2")
    loop.step()
    job = loop.job()
    assert (job.phase, job.attempts[0].verdict) == (JobPhase.RUNNING, Verdict.INFRASTRUCTURE)
    assert job.attempts[1].nodes == ("n1", "n3", "n4")
    assert [rank.node for rank in job.attempts[1].ranks] == ["n1", "n3", "n4"]
    resumed = job.attempts[1].resumed_from
    assert resumed is not None
    assert resumed.step == 10


def test_checks_that_a_person_asks_for_leave_a_node_open() -> None:
    loop = Loop.of(a_report("n1"))
    asked = seeing(loop)
    loop.ask(RunChecks(node="n1", level="full", by="me"))
    assert asked == [CheckNode(node="n1", level="full")]
    assert state(loop) is NodeState.READY
    loop.machines.lose("n1")
    loop.step()
    with pytest.raises(RefusalError, match="n1 is down"):
        loop.ask(RunChecks(node="n1", level="full", by="me"))


@pytest.mark.parametrize("wanted", ASKABLE)
def test_whatever_a_person_asks_twice_changes_nothing_the_second_time(wanted: NodeState) -> None:
    loop = Loop.of(a_report("n1"))
    once = ask(loop, wanted)
    again = ask(loop, wanted)
    assert (again.state, again.version) == (once.state, once.version)
