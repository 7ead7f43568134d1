"""A thin keep-alive client for load: http.client, so that the client's own cost stays small."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from benchmarks.instance import Instance


class Api:
    def __init__(self, instance: Instance, *, timeout_s: float = 60.0) -> None:
        parts = urlsplit(instance.api_url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
        self._headers = {
            "Authorization": f"Bearer {instance.token}",
            "Content-Type": "application/json",
        }

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> tuple[int, Any]:
        """Status and decoded body."""
        headers = dict(self._headers)
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, headers)
        reply = self._connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if text else None

    def close(self) -> None:
        self._connection.close()
