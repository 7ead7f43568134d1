"""Whom a failed attempt is laid to: the verdict with what speaks for it, marks against nodes, and who is cordoned.

An exit code alone is the user's. It is the node's where the same program lives on other nodes and fails on this one:
then the job is tried elsewhere, at nobody's cost. If it fails there too, the user's it was, and the node is cleared.
"""

import re
from collections import Counter
from functools import lru_cache
from hashlib import blake2b

from gigawatt.model.action import CheckNode
from gigawatt.model.attempt import Attempt, Evidence, Verdict
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Shape
from gigawatt.model.health import Outcome
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.model.suspicion import ONE, Mark, marked, score
from gigawatt.model.trial import Run, Trials
from gigawatt.model.values import replace
from gigawatt.model.work import Work
from gigawatt.reconcile import links, node_life
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.verdict import CHARGED_TO, INFRASTRUCTURE_FACTS, decisive, judge

CORDON_SCORE = 2_400  # three failures within some hours of each other
CORDON_GANGS = 2  # of so many gangs at least
OTHERS_MIN = 3  # nodes without such a score, against which a node stands out
CORDONED_OF = 8  # the watch takes out at most one of so many nodes, and always one

MARKING_FACTS = frozenset(
    {"signal", "launch_failed", "hang", "hardware", "contrast", "unhealthy", "link"}
)
LINK_WEIGHT = ONE * 6 // 10  # for each of the two nodes at its ends
DOUBTED_FACTS = frozenset({"contrast", "link"})
LINES_SAID = 3
NUMBER = re.compile(r"[0-9]+")
PROGRAMS_KEPT = 1_024
LOOK = "watch"  # the level of checks that a node is given when a failure is laid to it


def began(turn: Turn, owner: Work, attempt: Attempt) -> None:
    """An attempt runs: its program has one more run that lives."""
    program = program_of(owner)
    if program:
        trials = turn.world.trials.get(program) or Trials()
        trials.began(Run(gang=owner.id, attempt=attempt.n, nodes=attempt.nodes))
        turn.world.note_trials(program, trials)


def judged(turn: Turn, owner: Work, attempt: Attempt) -> tuple[Work, Attempt]:
    """The attempt with its verdict, and its owner with earlier ones that this one changes."""
    failed_on = _first_node(attempt)
    attempt = _explained(turn, attempt)
    verdict = judge(attempt)
    if verdict is Verdict.USER and _may_be_the_nodes(attempt) and isinstance(owner, Job):
        owner, attempt = _compared(turn, owner, attempt, failed_on)
        verdict = judge(attempt)
    if verdict in {Verdict.INFRASTRUCTURE, Verdict.HANG}:
        attempt = _of_domain(turn, attempt, failed_on)
    attempt = replace(
        attempt,
        verdict=verdict,
        charged_to=_charged_to(owner, attempt, verdict),
        blamed=_blamed(attempt, verdict, failed_on),
    )
    _note_run(turn, owner, attempt, failed_on)
    return owner, attempt


def laid_to_nodes(turn: Turn, owner: Work, attempt: Attempt) -> None:
    """Mark the nodes that failed an attempt, and cordon one that stands out; clear those that its program clears."""
    program = program_of(owner)
    trials = turn.world.trials.get(program)
    if attempt.verdict in {Verdict.INFRASTRUCTURE, Verdict.HANG}:
        for node in attempt.blamed:
            if trials is None or not trials.contrast(node).clears_node:
                _mark(turn, owner, attempt, node)
    if trials is not None and attempt.verdict is not Verdict.SUCCESS:
        _clear(turn, owner, attempt, trials)


def suspected(turn: Turn, shape: Shape) -> tuple[str, ...]:
    """Nodes that retries avoid, with all of a domain that is suspect itself where others could hold the gang; sorted."""
    world, found = turn.world, links.failing_nodes(turn.world, now_ms=turn.now_ms)
    domains = [links.suspect_domain(world, world.nodes[n], now_ms=turn.now_ms) for n in found]
    wide = {*found, *(node for each in domains if each for node in each.nodes)}
    left = [n for n in world.nodes.values() if n.id not in wide and _could_hold(n, shape)]
    return tuple(sorted(wide)) if len(left) >= shape.nodes_min else found


def program_of(owner: Work) -> str:
    """What runs of the same program share: an array's tasks, jobs with the same code and program, an endpoint."""
    if isinstance(owner, Replica):
        return f"endpoint {owner.endpoint}"
    if not isinstance(owner, Job):
        return ""
    if owner.array:
        return f"array {owner.array}"
    spec = owner.spec
    code = (owner.tenant, owner.project, spec.environment, spec.bundle, spec.workdir)
    return "\0".join((*code, *program_words(spec.command)))


@lru_cache(maxsize=PROGRAMS_KEPT)
def program_words(command: tuple[str, ...]) -> tuple[str, ...]:
    """A command up to its program, without numbers: runs of a sweep differ in what follows, and in those."""
    words = [NUMBER.sub("#", word) for word in command]
    count = 1
    for word in words[1:]:
        count += 1
        if not word.startswith("-"):
            break
    return tuple(words[:count])


def _could_hold(node: Node, shape: Shape) -> bool:
    enough = zip(node.total.vector(), shape.per_node.vector(), strict=True)
    kind = not shape.gpu_kinds or node.gpu_kind in shape.gpu_kinds
    return node.state is NodeState.READY and kind and all(have >= need for have, need in enough)


def _charged_to(owner: Work, attempt: Attempt, verdict: Verdict) -> str:
    """A program that hangs at the same step on other nodes again does so by itself."""
    again = verdict is Verdict.HANG and any(
        each.verdict is Verdict.HANG
        and each.last_step == attempt.last_step
        and not set(each.blamed) & set(attempt.nodes)
        for each in owner.attempts[:-1]
    )
    return CHARGED_TO.get(Verdict.USER if again else verdict, "")


def _may_be_the_nodes(attempt: Attempt) -> bool:
    """Whether it ended in a way that a bad node can bring about; its own memory limit is no such."""
    facts = decisive(attempt)
    return bool(facts) and bool(facts[0].node) and facts[0].what in {"exit", "crash"}


def _first_node(attempt: Attempt) -> str:
    """Of the rank that failed first."""
    facts = decisive(attempt)
    return facts[0].node if facts else ""


def _explained(turn: Turn, attempt: Attempt) -> Attempt:
    """With what the first rank to fail said last, when its peers failed after it, and how its node was."""
    facts = decisive(attempt)
    first = facts[0] if facts else None
    if first is None or first.rank is None or first.what == "hang":
        return attempt
    told = [fact for fact in (_said(attempt, first), _peers(attempt, first)) if fact]
    told += _health(turn, attempt, first)
    return replace(attempt, evidence=(*attempt.evidence, *told))


def _said(attempt: Attempt, first: Evidence) -> Evidence | None:
    assert first.rank is not None
    lines = attempt.rank(first.rank).last_lines[-LINES_SAID:]
    if len(lines) < 2:  # a single line is in the fact itself
        return None
    return replace(first, what="last_lines", detail="\n".join(lines))


def _peers(attempt: Attempt, first: Evidence) -> Evidence | None:
    """Whether the others went on when the first one failed, and for how long."""
    ends = [
        rank.ended_ms - first.at_ms
        for rank in attempt.ranks
        if rank.rank != first.rank and rank.ended_ms is not None and rank.failed and not rank.asked
    ]
    others = len(attempt.ranks) - 1
    if not others:
        return None
    after = f"; {len(ends)} failed within {max(*ends, 0)} ms after it" if ends else ""
    detail = f"it was the first of {others + 1} ranks to fail{after}"
    return replace(first, what="peers", detail=detail)


def _health(turn: Turn, attempt: Attempt, first: Evidence) -> list[Evidence]:
    """What checks say of its node, where they find fault: since before it ran, or since then."""
    node = turn.world.nodes.get(first.node)
    since_ms = attempt.running_ms or attempt.placed_ms
    facts: list[Evidence] = []
    for each in node.checks if node else ():
        if each.outcome is not Outcome.OK:
            later = each.at_ms >= since_ms
            when = "since it ran" if later else "before it ran"
            failed = later and each.outcome is Outcome.FAIL
            detail = f"check {each.name}, {when}: {each.outcome.value}: {each.detail}"
            what = "unhealthy" if failed else "health"
            facts.append(replace(first, what=what, detail=detail, rank=None))
    return facts


def _compared(turn: Turn, job: Job, attempt: Attempt, node: str) -> tuple[Job, Attempt]:
    """A failure of the program, against its other runs and against the job's own earlier attempts."""
    doubted = [each for each in job.attempts if _doubted(each) and _elsewhere(turn, node, each)]
    if doubted:
        where = ", ".join(sorted({name for each in doubted for name in each.blamed}))
        fact = Evidence(
            at_ms=turn.now_ms,
            what="fails_elsewhere",
            detail=f"it failed on {where} before, and on {node} too: it is the program",
            node=node,
        )
        return _charged(job, doubted), replace(attempt, evidence=(*attempt.evidence, fact))
    pair = links.lost_pair(turn.world, attempt)
    trials = turn.world.trials.get(program_of(job)) or Trials()
    seen = trials.contrast(node)
    seen = replace(seen, here_failed=seen.here_failed + 1)
    if pair is not None and not seen.clears_node:
        return job, _of_link(turn, attempt, pair)
    if not seen.blames_node:
        return job, attempt
    detail = (
        f"the same program lives on {seen.places} other nodes ({seen.lived} runs go on or ended"
        f" well, {seen.failed} failed), and of its runs here {seen.here_failed} failed"
    )
    fact = Evidence(at_ms=turn.now_ms, what="contrast", detail=detail, node=node)
    return job, replace(attempt, evidence=(*attempt.evidence, fact))


def _doubted(attempt: Attempt) -> bool:
    """Whether it was laid to nodes only because the program did well elsewhere, or because its ranks lost each other."""
    return attempt.verdict is Verdict.INFRASTRUCTURE and any(
        fact.what in DOUBTED_FACTS for fact in attempt.evidence
    )


def _elsewhere(turn: Turn, node: str, doubted: Attempt) -> bool:
    """Whether a failure on the node is none of what the doubted attempt was laid to."""
    if _lost_peers(doubted):
        return links.elsewhere(turn.world, node, doubted.blamed)
    return node not in doubted.blamed


def _lost_peers(attempt: Attempt) -> bool:
    return any(fact.what == "link" for fact in attempt.evidence)


def _of_link(turn: Turn, attempt: Attempt, pair: links.Pair) -> Attempt:
    """Its ranks on two nodes lost each other: with that as evidence, and laid to both."""
    shared = links.parting(turn.world, pair)
    where = f", which part below {shared}" if shared else ""
    detail = f"ranks on {pair.nodes[0]} and {pair.nodes[1]}{where}, lost each other: {pair.line}"
    fact = Evidence(at_ms=turn.now_ms, what="link", detail=detail)
    return replace(attempt, evidence=(*attempt.evidence, fact), blamed=pair.nodes)


def _of_domain(turn: Turn, attempt: Attempt, node: str) -> Attempt:
    """With what speaks for its node's rack or leaf rather than for the node."""
    there = turn.world.nodes.get(node)
    domain = there and links.suspect_domain(turn.world, there, now_ms=turn.now_ms)
    if not domain:
        return attempt
    fact = Evidence(at_ms=turn.now_ms, what="domain", detail=domain.detail, node=node)
    return replace(attempt, evidence=(*attempt.evidence, fact))


def _charged(job: Job, doubted: list[Attempt]) -> Job:
    """The doubt is gone: those attempts were the user's."""
    numbers = {each.n for each in doubted}
    charged = CHARGED_TO[Verdict.USER]
    attempts = tuple(
        replace(each, verdict=Verdict.USER, charged_to=charged, blamed=())
        if each.n in numbers
        else each
        for each in job.attempts
    )
    return replace(job, attempts=attempts)


def _blamed(attempt: Attempt, verdict: Verdict, first: str) -> tuple[str, ...]:
    if verdict not in {Verdict.INFRASTRUCTURE, Verdict.HANG}:
        return ()
    if attempt.blamed:
        return attempt.blamed
    facts = decisive(attempt)
    named = {fact.node for fact in facts if fact.what in INFRASTRUCTURE_FACTS and fact.node}
    return tuple(sorted(named)) or ((first,) if first else ())


def _note_run(turn: Turn, owner: Work, attempt: Attempt, failed_on: str) -> None:
    program = program_of(owner)
    if not program:
        return
    trials = turn.world.trials.get(program) or Trials()
    failed = attempt.verdict in {Verdict.USER, Verdict.INFRASTRUCTURE, Verdict.HANG}
    run = Run(
        gang=owner.id,
        attempt=attempt.n,
        nodes=attempt.nodes,
        failed_on=failed_on if failed else "",
    )
    lost = any(fact.what in {"node_down", "lost"} for fact in decisive(attempt))
    lost |= _lost_peers(attempt) and attempt.verdict is Verdict.INFRASTRUCTURE
    counts = attempt.verdict is Verdict.SUCCESS or (failed and bool(failed_on) and not lost)
    trials.finished(run, counts=counts)
    turn.world.note_trials(program, trials)


def _mark(turn: Turn, owner: Work, attempt: Attempt, name: str) -> None:
    node = turn.world.nodes.get(name)
    facts = [fact for fact in attempt.evidence if fact.what in MARKING_FACTS]
    fact = next((each for each in facts if each.node in {name, ""}), None)
    if node is None or fact is None:
        return
    mark = Mark(
        at_ms=turn.now_ms,
        gang=owner.id,
        attempt=attempt.n,
        program=_digest(program_of(owner)),
        what=fact.what,
        detail=fact.detail,
        weight=LINK_WEIGHT if fact.what == "link" else ONE,
    )
    after = turn.put(replace(node, marks=marked(node.marks, mark)))
    if after.marks != node.marks:
        # Everyone hears of nodes: what failed there, and with which words, is on the node, for operators.
        turn.emit("node.suspected", after, f"a failure is laid to it: {fact.what}")
        turn.act(CheckNode(node=name, level=LOOK))
        _cordon_if_lemon(turn, after)


def _cordon_if_lemon(turn: Turn, node: Node) -> None:
    """Few nodes, most failures: one that stands out against many that are well is taken out of use."""
    own = score(node.marks, now_ms=turn.now_ms)
    gangs = {mark.gang for mark in node.marks}
    if node.state is not NodeState.READY or own < CORDON_SCORE or len(gangs) < CORDON_GANGS:
        return
    domain = links.suspect_domain(turn.world, node, now_ms=turn.now_ms)
    if domain is not None:
        turn.emit("node.domain_suspected", node, domain.detail)
        return
    others = [each for each in turn.world.nodes.values() if each.id != node.id]
    ready = [each for each in others if each.state is NodeState.READY]
    well = [n for n in ready if score(n.marks, now_ms=turn.now_ms) * 3 <= own]
    out = sum(each.by == node_life.WATCH for each in others)
    few = (out + 1) * CORDONED_OF <= max(len(others) + 1, CORDONED_OF)
    if len(well) < OTHERS_MIN or len(well) * 4 < len(ready) * 3 or not few:
        return
    minutes = max(turn.now_ms - node.marks[0].at_ms, 0) / 60_000
    reason = (
        f"{len(node.marks)} attempts of {len(gangs)} gangs failed here in {minutes:.0f} min;"
        f" {len(well)} of {len(ready)} other nodes are well"
    )
    kinds = Counter(mark.what for mark in node.marks)
    data = tuple((what, str(count)) for what, count in sorted(kinds.items()))
    node_life.cordon(turn, node, reason, data)


def _clear(turn: Turn, owner: Work, attempt: Attempt, trials: Trials) -> None:
    """What a program did to nodes is no mark against them once it is seen to fail elsewhere too."""
    program = _digest(program_of(owner))
    users = attempt.verdict is Verdict.USER
    for name in sorted(turn.world.marked):
        node = turn.world.nodes[name]
        count = sum(mark.program == program for mark in node.marks)
        if not count:
            continue
        seen = trials.contrast(name)
        # Marks outlive a restart of the control plane, and what is known of runs does not.
        cleared = replace(seen, here_failed=max(seen.here_failed, count)).clears_node
        left = tuple(
            mark
            for mark in node.marks
            if mark.program != program or not (cleared or (users and mark.gang == owner.id))
        )
        if left != node.marks:
            turn.put(replace(node, marks=left))


def _digest(program: str) -> str:
    return blake2b(program.encode(), digest_size=8).hexdigest()
