"""A control plane that waits for the lead: for the directory's lock first, then for the lease in the store."""

import asyncio
import time
from collections.abc import Callable

from gigawatt.clock import monotonic_s
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server import preflight
from gigawatt.server.preflight import Claimed
from gigawatt.settings import Settings
from gigawatt.store.base import Lease, Store

LOOK_AGAIN_S = 0.2
ENDING_S = 5.0  # a control plane that ends lets go of its lock and its ports one after the other

Say = Callable[[str], None]


def claim_when_free(settings: Settings, say: Say) -> Claimed:
    """Once no other control plane runs on the directory. Blocks. Raises RefusalError for any other fault."""
    waited_s: float | None = None
    while True:
        try:
            return preflight.claim(settings, listening=False)
        except RefusalError as error:
            locked = error.code is RefusalCode.CONFLICT and error.field == "data"
            ending = waited_s is not None and monotonic_s() - waited_s < ENDING_S
            if not locked and not (ending and error.code is RefusalCode.CONFLICT):
                raise
            if waited_s is None:
                say(error.detail)
            if locked:
                waited_s = monotonic_s()
        time.sleep(LOOK_AGAIN_S)


async def wait_for_lease(store: Store, *, holder: str, lease_ms: int, say: Say) -> None:
    """Until nobody else leads the store: the lease was let go, or not renewed for its whole length by our own clock.

    So a machine whose clock is ahead takes nothing from a leader that is well.
    """
    seen: Lease | None = None
    since_s = monotonic_s()
    while True:
        lease = await asyncio.to_thread(store.lease)
        if lease is None or lease.until_ms == 0 or lease.holder == holder:
            return
        if lease != seen:
            if seen is None or seen.epoch != lease.epoch:
                say(f"{lease.holder} leads this store")
            seen, since_s = lease, monotonic_s()
        elif monotonic_s() - since_s >= lease_ms / 1000:
            return
        await asyncio.sleep(LOOK_AGAIN_S)
