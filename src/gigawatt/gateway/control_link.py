"""The gateway's two conversations with the control plane: configurations come down, demand goes up.

Both go on for ever and outlive any failure of the control plane: the gateway serves by the configuration it has, counts
go on as differences, and both are caught up with when it answers again. A demand report that failed is sent again with
what has been added since, although it may have arrived: counts arrive at least once.
"""

import asyncio
import json
import logging
from collections.abc import Callable

from gigawatt.gateway.config import Config, ConfigError, parse_config
from gigawatt.gateway.config_file import save_config
from gigawatt.gateway.control_client import ControlClient, ControlError, ControlReply
from gigawatt.gateway.gateway import Gateway
from gigawatt.gateway.settings import Settings
from gigawatt.gateway.tally import Counts, EndpointDemand, Tally

CONFIG_PATH = "/v1/gateway/config"
DEMAND_PATH = "/v1/gateway/demand"

POLL_WAIT_S = 20
POLL_GRACE_S = 10.0  # beyond the wait, for the answer to come
REPORT_TIMEOUT_S = 5.0
PACE_S = 0.5  # between polls of a control plane that answers at once although nothing is new
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 2.0
UNAUTHORIZED = 401
UNCHANGED = frozenset({204, 304})

log = logging.getLogger(__name__)


class ControlLink:
    def __init__(
        self,
        gateway: Gateway,
        settings: Settings,
        *,
        someone_waits: asyncio.Event,
        monotonic_s: Callable[[], float],
    ) -> None:
        """`someone_waits` is set when a line forms: then the next report is not put off."""
        self._gateway = gateway
        self._poll_client = ControlClient(settings.api_url)
        self._report_client = ControlClient(settings.api_url)
        self._settings = settings
        self._monotonic_s = monotonic_s
        self._someone_waits = someone_waits
        self._known_token = ""
        self._saved: tuple[str, int] | None = None

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_config())
                tasks.create_task(self._report_demand())
        finally:
            self._poll_client.close()
            self._report_client.close()

    # Configurations.

    async def _follow_config(self) -> None:
        retry_s = RETRY_FIRST_S
        current = False  # what we have came over this connection, so the control plane can say what is newer
        while True:
            began_s = self._monotonic_s()
            try:
                changed = await self._poll(current=current)
            except (ControlError, ConfigError, OSError) as error:
                self._note_control(up=False, detail=str(error))
                current = False
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            self._note_control(up=True, detail="")
            current, retry_s = True, RETRY_FIRST_S
            if not changed and self._monotonic_s() - began_s < PACE_S:
                await asyncio.sleep(PACE_S)

    async def _poll(self, *, current: bool) -> bool:
        """Whether a new configuration has come and been applied."""
        config = self._gateway.config
        after = (
            f"?after={config.revision}&wait_s={POLL_WAIT_S}" if config and current else "?wait_s=0"
        )
        reply = await self._poll_client.request(
            "GET",
            CONFIG_PATH + after,
            token=await self._token(),
            timeout_s=POLL_WAIT_S + POLL_GRACE_S,
        )
        if reply.status in UNCHANGED:
            return False
        self._check(reply)
        new = _parsed(reply.body)
        version = (new.instance, new.revision)
        if config is None or version != (config.instance, config.revision):
            self._gateway.apply(new)
            log.info(
                "configuration", extra={"revision": new.revision, "endpoints": len(new.endpoints)}
            )
        elif version == self._saved:
            return False
        await self._save(reply.body, version)
        return True

    async def _save(self, body: bytes, version: tuple[str, int]) -> None:
        try:
            await asyncio.to_thread(save_config, self._settings.config_file, body)
        except OSError as error:
            log.warning("the configuration could not be saved", extra={"detail": str(error)})
        else:
            self._saved = version

    # Demand.

    async def _report_demand(self) -> None:
        idle_s = self._settings.limits.report_idle_s
        told_all_s = -idle_s
        retry_s = RETRY_FIRST_S
        while True:
            everything = self._monotonic_s() - told_all_s >= idle_s
            self._someone_waits.clear()
            try:
                await self._report(everything=everything)
            except (ControlError, OSError) as error:
                self._note_control(up=False, detail=str(error))
                told_all_s = -idle_s
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            self._note_control(up=True, detail="")
            retry_s = RETRY_FIRST_S
            if everything:
                told_all_s = self._monotonic_s()
            await self._pause()

    async def _pause(self) -> None:
        """Until someone waits who did not before, or it is time again."""
        try:
            async with asyncio.timeout(self._settings.limits.report_s):
                await self._someone_waits.wait()
        except TimeoutError:
            return

    async def _report(self, *, everything: bool) -> None:
        """Tell what has changed, or how everything stands."""
        told: list[tuple[Tally, Counts]] = []
        self._gateway.endpoints.note_lines()
        demands: list[EndpointDemand] = []
        for tally in self._gateway.endpoints.tallies.values():
            counts = tally.counts()
            demand = tally.demand_always(counts) if everything else tally.demand(counts)
            if demand is not None:
                told.append((tally, counts))
                demands.append(demand)
        if not demands:
            return
        body = json.dumps({"gateway": self._gateway.id, "endpoints": demands}).encode()
        reply = await self._report_client.request(
            "POST", DEMAND_PATH, token=await self._token(), body=body, timeout_s=REPORT_TIMEOUT_S
        )
        self._check(reply)
        for tally, counts in told:
            tally.acknowledge(counts)
        self._gateway.endpoints.forget_settled()

    async def _token(self) -> str:
        """Read from its file when it is first needed, and again when it was refused."""
        if not self._known_token:
            self._known_token = (
                await asyncio.to_thread(self._settings.token_file.read_text)
            ).strip()
        return self._known_token

    def _check(self, reply: ControlReply) -> None:
        if 200 <= reply.status < 300:
            return
        if reply.status == UNAUTHORIZED:
            self._known_token = ""  # it may have been replaced
        excerpt = reply.body[:200].decode(errors="replace")
        raise ControlError(f"it answered {reply.status}: {excerpt}")

    def _note_control(self, *, up: bool, detail: str) -> None:
        if up != self._gateway.control_up:
            self._gateway.control_up = up
            if up:
                log.info("the control plane answers")
            else:
                log.warning("the control plane does not answer", extra={"detail": detail})


def _parsed(body: bytes) -> Config:
    try:
        return parse_config(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the configuration cannot be used: {error}") from error
