"""A site behind a real socket, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from gigawatt.build.remote import Remote
from tests.surface.api.site import Site, running_site

START_S = 30.0


@dataclass(slots=True)
class _Server:
    data: Path
    listener: socket.socket
    remote: Remote | None = None
    started: threading.Event = field(default_factory=threading.Event)
    site: Site | None = None
    loop: asyncio.AbstractEventLoop | None = None
    server: uvicorn.Server | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with running_site(self.data, remote=self.remote) as site:
            config = uvicorn.Config(site.app, log_config=None, lifespan="off", access_log=False)
            self.site, self.server = site, uvicorn.Server(config)
            self.loop = asyncio.get_running_loop()
            self.started.set()
            await self.server.serve(sockets=[self.listener])


@contextmanager
def served_site(data: Path, *, remote: Remote | None = None) -> Generator[tuple[str, str]]:
    """The URL of a site and its administrator's key."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(data, listener, remote)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.started.wait(START_S)
        assert server.site is not None
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", server.site.admin_key
    finally:
        if server.loop and server.site:
            server.loop.call_soon_threadsafe(server.site.services.closing.set)
        if server.server:
            server.server.should_exit = True
        thread.join(START_S)
        listener.close()
