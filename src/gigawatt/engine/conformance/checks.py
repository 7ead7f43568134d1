"""Checks of nodes: each says something once, and those under load never keep a gang from its node."""

import asyncio

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.engine.conformance.report import UnsupportedError
from gigawatt.model.health import CheckResult
from gigawatt.model.observation import AttemptGone
from gigawatt.model.refusal import RefusalCode, RefusalError


async def checks_say_how_a_node_is(bench: Bench) -> str:
    """Checks that only look run on a node, and each says something, with its date."""
    results = await _checked(bench, "watch")
    names = [each.name for each in results]
    check(bool(names), "no check said anything")
    check(len(names) == len(set(names)), f"a check spoke twice: {names}")
    check(all(each.at_ms for each in results), "a result has no date")
    return ", ".join(f"{each.name} {each.outcome.value}" for each in results)


async def checks_give_way_to_gangs(bench: Bench) -> str:
    """A gang that comes while checks put load on its node runs at once."""
    checking = asyncio.create_task(_checked(bench, "full"))
    await asyncio.sleep(0)  # it is asked before the launch is
    key = await bench.launch(bench.build("true", nodes=(bench.nodes[0],)))
    await bench.wait(AttemptGone, key=key)
    results = await checking
    return f"the gang ran, and {len(results)} checks had spoken by then"


async def _checked(bench: Bench, level: str) -> tuple[CheckResult, ...]:
    try:
        return await bench.engine.check(bench.nodes[0], level)
    except RefusalError as refusal:
        if refusal.code is RefusalCode.UNSUPPORTED:
            raise UnsupportedError(refusal.detail) from None
        raise
