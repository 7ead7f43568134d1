"""The gateway's conversations with the control plane: configurations come down, demand and token counts go up.

Both go on for ever and outlive any failure of the control plane: the gateway serves by the configuration it has, counts
go on as differences, and both are caught up with when it answers again. A demand report that failed is sent again with
what has been added since, although it may have arrived: its counts arrive at least once. Token counts, which are billed, are told so
that each counts once (`token_reports`).
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from gigawatt.gateway.config import Config, ConfigError, parse_config
from gigawatt.gateway.config_file import save_config
from gigawatt.gateway.control_client import ControlClient, ControlError, ControlReply
from gigawatt.gateway.quotas import allowances
from gigawatt.gateway.settings import Settings
from gigawatt.gateway.tally import Counts, EndpointDemand, Tally
from gigawatt.gateway.token_reports import TokenReports, month_began_ms

CONFIG_PATH = "/v1/gateway/config"
DEMAND_PATH = "/v1/gateway/demand"
USAGE_PATH = "/v1/gateway/usage"
SPENT_PATH = "/v1/gateway/spent"

POLL_WAIT_S = 20
POLL_GRACE_S = 10.0  # beyond the wait, for the answer to come
REPORT_TIMEOUT_S = 5.0
USAGE_TIMEOUT_S = 30.0
SPENT_EVERY_S = 60.0
LAST_REPORT_S = 2.0
PACE_S = 0.5  # between polls of a control plane that answers at once although nothing is new
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 2.0
CONFIG_RETRY_MAX_S = 0.4  # a key that was revoked meanwhile is refused within a second of its return
UNAUTHORIZED = 401
UNCHANGED = frozenset({204, 304})

log = logging.getLogger(__name__)


class Served(Protocol):
    """What is told and tells: a gateway, or the parent of a gateway's workers."""

    @property
    def control_up(self) -> bool: ...

    @control_up.setter
    def control_up(self, up: bool) -> None: ...

    @property
    def id(self) -> str: ...

    @property
    def config(self) -> Config | None: ...

    @property
    def tallies(self) -> Mapping[str, Tally]: ...

    def take(self, config: Config, body: bytes) -> None:
        """A new configuration; `body` is what was read."""
        ...

    def spend(self, spent: Mapping[str, int]) -> None:
        """What holders of budgets have used."""
        ...

    def forget_settled(self) -> None: ...


class ControlLink:
    def __init__(
        self,
        gateway: Served,
        settings: Settings,
        *,
        someone_waits: asyncio.Event,
        monotonic_s: Callable[[], float],
        wall_ms: Callable[[], int],
    ) -> None:
        """`someone_waits` is set when a line forms: then the next report is not put off."""
        self._usage_client = ControlClient(settings.api_url, authority=settings.api_authority)
        self._reports = TokenReports(settings.spool_dir, self._send_usage)
        self._elsewhere: dict[str, int] = {}  # tokens of this month that others have counted
        self._elsewhere_at: tuple[int, float] = (0, 0.0)  # of which month, and known when
        self._own_spools: frozenset[str] = frozenset()  # that were left out then
        self._wall_ms = wall_ms
        self._gateway = gateway
        self._poll_client = ControlClient(settings.api_url, authority=settings.api_authority)
        self._report_client = ControlClient(settings.api_url, authority=settings.api_authority)
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
                tasks.create_task(self._report_tokens())
        finally:
            self._poll_client.close()
            self._report_client.close()

    async def finish(self) -> None:
        """The gateway has ended: tell what it counted last, if the control plane listens."""
        try:
            async with asyncio.timeout(LAST_REPORT_S):
                await self._reports.report()
        except (TimeoutError, ControlError, OSError, ValueError) as error:
            log.warning("token counts wait for the next start", extra={"detail": str(error)})
        self._usage_client.close()
        self._reports.close()

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
                retry_s = min(retry_s * 2, CONFIG_RETRY_MAX_S)
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
            self._gateway.take(new, reply.body)
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
        demands: list[EndpointDemand] = []
        for tally in self._gateway.tallies.values():
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
        self._gateway.forget_settled()

    # Tokens.

    async def _report_tokens(self) -> None:
        retry_s = RETRY_FIRST_S
        pause_s = self._settings.limits.report_s
        while True:
            try:
                news = await self._reports.report()
                await self._spend()
            except (ControlError, OSError, ValueError) as error:
                log.warning("token counts wait", extra={"detail": str(error)})
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            retry_s = RETRY_FIRST_S
            pause_s = self._settings.limits.report_s if news else min(pause_s * 2, RETRY_MAX_S)
            await asyncio.sleep(pause_s)

    async def _send_usage(self, body: bytes) -> None:
        await self._ask(self._usage_client, "POST", USAGE_PATH, body, timeout_s=USAGE_TIMEOUT_S)

    async def _spend(self) -> None:
        """Look at budgets, where there are any: what our spools have, and what others have told."""
        config = self._gateway.config
        if config is None or not any(each.tokens_per_month for each in allowances(config).values()):
            return
        since_ms = month_began_ms(self._wall_ms())
        now_s = self._monotonic_s()
        known, at_s = self._elsewhere_at
        own = frozenset(reader.id for reader in self._reports.readers())
        if known != since_ms or now_s - at_s > SPENT_EVERY_S or self._own_spools - own:
            asked = json.dumps({"since_ms": since_ms, "spools": sorted(own)}).encode()
            reply = await self._ask(
                self._usage_client, "POST", SPENT_PATH, asked, timeout_s=USAGE_TIMEOUT_S
            )
            items = json.loads(reply.body)["items"]
            self._elsewhere = {each["subject"]: each["tokens"] for each in items}
            self._elsewhere_at, self._own_spools = (since_ms, now_s), own
        spent = self._reports.spent(since_ms)
        for subject, tokens in self._elsewhere.items():
            spent[subject] = spent.get(subject, 0) + tokens
        self._gateway.spend(spent)

    async def _ask(
        self, client: ControlClient, method: str, path: str, body: bytes, *, timeout_s: float
    ) -> ControlReply:
        reply = await client.request(
            method, path, token=await self._token(), body=body, timeout_s=timeout_s
        )
        self._check(reply)
        return reply

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
