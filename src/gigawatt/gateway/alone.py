"""A gateway without a control plane: it serves by a file, and follows the file; what it counts stays in its spools."""

import asyncio
import json
import logging
from collections.abc import Callable

from gigawatt.gateway.config import ConfigError, parse_config
from gigawatt.gateway.control_link import Served
from gigawatt.gateway.probes import Probes
from gigawatt.gateway.quotas import allowances
from gigawatt.gateway.settings import Settings
from gigawatt.gateway.token_reports import TokenReports, month_began_ms

LOOK_S = 1.0

log = logging.getLogger(__name__)


class FileLink:
    def __init__(
        self,
        gateway: Served,
        settings: Settings,
        *,
        wall_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._gateway = gateway
        self._config_file = settings.config_file
        self._reports = TokenReports(settings.spool_dir, None)
        self._limits = settings.limits
        self._wall_ms = wall_ms
        self._seen: tuple[int, int] | None = None
        self._probes = Probes(monotonic_s=monotonic_s, changed=self._serve)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probes.run())
            tasks.create_task(self._follow_file())

    async def finish(self) -> None:
        self._reports.close()

    async def _follow_file(self) -> None:
        while True:
            self._follow()
            self._spend()
            await asyncio.sleep(min(LOOK_S, self._limits.report_s))

    def _follow(self) -> None:
        try:
            stat = self._config_file.stat()
            seen = (stat.st_mtime_ns, stat.st_ino)
            if seen == self._seen:
                return
            self._seen = seen
            document = json.loads(self._config_file.read_bytes())
            parse_config(document)
            self._probes.take(document)
            self._serve()
        except (OSError, ConfigError, ValueError, RecursionError) as error:
            log.warning("the configuration cannot be used", extra={"detail": str(error)})
        else:
            log.info("configuration from its file")

    def _serve(self) -> None:
        """By the file, and by which servers are well."""
        document = self._probes.marked()
        self._gateway.take(parse_config(document), json.dumps(document).encode())

    def _spend(self) -> None:
        config = self._gateway.config
        if config is None or not any(each.tokens_per_month for each in allowances(config).values()):
            return
        try:
            self._gateway.spend(self._reports.spent(month_began_ms(self._wall_ms())))
        except (OSError, ValueError) as error:
            log.warning("budgets cannot be looked at", extra={"detail": str(error)})
