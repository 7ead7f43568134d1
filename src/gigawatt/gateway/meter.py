"""Counts every answered request in a spool on disk before its client has the whole of the answer."""

import logging
from collections.abc import Callable
from pathlib import Path

from gigawatt.gateway.config import EndpointConfig, KeyConfig
from gigawatt.gateway.spool import SpoolFullError, SpoolWriter, Subject
from gigawatt.gateway.usage import Usage
from gigawatt.model.tokens import HOUR_MS

log = logging.getLogger(__name__)

NO_USAGE = Usage(prompt_tokens=0, completion_tokens=0)


class Meter:
    def __init__(
        self, directory: Path, *, make_id: Callable[[], str], wall_ms: Callable[[], int]
    ) -> None:
        """Raises OSError."""
        self._directory = directory
        self._make_id = make_id
        self._wall_ms = wall_ms
        self._spool = SpoolWriter(directory, make_id())
        self._subjects: dict[tuple[str, str, str], Subject] = {}
        self._hour_ms = 0

    def add(
        self, key: KeyConfig, endpoint: EndpointConfig, model: str, usage: Usage | None
    ) -> bool:
        """One answered request; whether it could be counted."""
        usage = usage or NO_USAGE
        subject = self._subject(key, endpoint, model)
        try:
            self._count(subject, usage)
        except (SpoolFullError, OSError, ValueError) as error:
            log.critical("a request could not be counted", extra={"detail": str(error)})
            return False
        return True

    def close(self) -> None:
        self._spool.close()

    def _count(self, subject: Subject, usage: Usage) -> None:
        try:
            self._add(subject, usage)
        except SpoolFullError:
            full, self._spool = self._spool, SpoolWriter(self._directory, self._make_id())
            full.close()
            self._add(subject, usage)

    def _add(self, subject: Subject, usage: Usage) -> None:
        self._spool.add(
            subject,
            prompt=usage.prompt_tokens,
            cached=usage.cached_tokens,
            completion=usage.completion_tokens,
        )

    def _subject(self, key: KeyConfig, endpoint: EndpointConfig, model: str) -> Subject:
        now_ms = self._wall_ms()
        if not 0 <= now_ms - self._hour_ms < HOUR_MS:
            self._hour_ms = now_ms - now_ms % HOUR_MS
            self._subjects.clear()
        name = (key.id, endpoint.id, model)
        subject = self._subjects.get(name)
        if subject is None:
            subject = self._subjects[name] = Subject(
                self._hour_ms, key.tenant, endpoint.project, key.id, model, endpoint.id
            )
        return subject
