"""A receiver of webhooks on loopback: it keeps what it is sent, and answers as a test tells it to."""

import asyncio
import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import until


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Receiver:
    """`statuses` are for the next requests, then all is well. While `hold` is set, nothing is answered."""

    url: str
    got: list[Received] = field(default_factory=list[Received])
    statuses: list[int] = field(default_factory=list[int])
    hold: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def kinds(self) -> list[str]:
        return [event["kind"] for each in self.got for event in each.json["events"]]

    async def wait(self, count: int) -> list[Received]:
        """The first `count` messages, once they are there."""
        return await asyncio.to_thread(
            until, lambda: self.got[:count] if len(self.got) >= count else None
        )


@contextmanager
def a_receiver(tls: ssl.SSLContext | None = None) -> Generator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Received(headers=headers, body=body))
            if receiver.hold.is_set():
                receiver.let_go.wait(30)
            status = receiver.statuses.pop(0) if receiver.statuses else 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", receiver.url + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "https" if tls else "http"
    receiver = Receiver(url=f"{scheme}://127.0.0.1:{server.server_port}/hook/s3cret")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
