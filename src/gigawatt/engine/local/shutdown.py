"""Ending the supervisors of a directory without a control plane: after one that was killed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from gigawatt.engine.local.files import known_nodes, nodes_dir, socket_of
from gigawatt.engine.local.link import Link, LinkLostError, Message, RefusedError

GRACE_S = 10.0
MARGIN_S = 10.0  # beyond the grace, for a supervisor to end


async def shut_down_supervisors(data: Path, *, grace_s: float = GRACE_S) -> list[str]:
    """End every supervisor of this directory and all that it runs; the nodes that did not end in time."""
    return await _shut_down(data, known_nodes(data), grace_s)


async def shut_down_others(data: Path, keep: frozenset[str], *, grace_s: float) -> list[str]:
    """The same for nodes that this instance does not have any more."""
    return await _shut_down(data, [node for node in known_nodes(data) if node not in keep], grace_s)


async def shut_down_link(
    reach: Callable[[Link], Awaitable[None]], *, grace_s: float = GRACE_S
) -> bool:
    """End the supervisor that is reached so, and all that it runs; whether it has ended, or is not there."""
    over = asyncio.Event()
    link = Link(_ignore, lambda _: over.set())
    try:
        await reach(link)
        await link.ask("shutdown", grace_s=grace_s)
        async with asyncio.timeout(grace_s + MARGIN_S):
            await over.wait()
    except OSError:
        return True  # nobody listens
    except (LinkLostError, RefusedError, TimeoutError):
        return over.is_set()
    finally:
        await link.close()
    return True


async def _shut_down(data: Path, nodes: list[str], grace_s: float) -> list[str]:
    ended = await asyncio.gather(*(_end(nodes_dir(data) / node, grace_s) for node in nodes))
    return [node for node, is_over in zip(nodes, ended, strict=True) if not is_over]


async def _end(node_dir: Path, grace_s: float) -> bool:
    async def reach(link: Link) -> None:
        await link.connect(socket_of(node_dir))

    return await shut_down_link(reach, grace_s=grace_s)


def _ignore(_event: Message) -> None:
    """Nobody is told any more."""
