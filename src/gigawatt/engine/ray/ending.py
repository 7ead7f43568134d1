"""Ending what a control plane that was killed has left on a Ray cluster: supervisors, what they run, and a head of ours."""

import asyncio
from pathlib import Path

from gigawatt.engine.local.shutdown import GRACE_S, shut_down_link
from gigawatt.engine.ray.files import Files
from gigawatt.engine.ray.fleet import RayAccess
from gigawatt.engine.ray.heads import end_head


async def shut_down_cluster(data: Path, *, grace_s: float = GRACE_S) -> list[str]:
    """End every supervisor that this directory knows of, and its head; the nodes that did not end in time."""
    files = Files(data)
    known = await asyncio.to_thread(files.nodes)
    if known:
        accesses = [RayAccess(facts, files.token_of(facts.node)) for facts in known]
        ended = await asyncio.gather(
            *(shut_down_link(access.reach, grace_s=grace_s) for access in accesses)
        )
        await asyncio.to_thread(files.forget_nodes)
    else:
        ended = []
    await asyncio.to_thread(end_head, files.head)
    return [facts.node for facts, is_over in zip(known, ended, strict=True) if not is_over]
