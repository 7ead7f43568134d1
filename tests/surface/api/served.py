"""A site behind a real socket, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvicorn

from gigawatt.api.handoff import Handoff
from gigawatt.build.remote import Remote
from gigawatt.service.guesses import Guesses
from tests.surface.api.site import Site, running_site

START_S = 30.0


@dataclass(slots=True)
class _Server:
    data: Path
    listener: socket.socket
    remote: Remote | None = None
    handoff: bool = False
    started: threading.Event = field(default_factory=threading.Event)
    site: Site | None = None
    loop: asyncio.AbstractEventLoop | None = None
    server: uvicorn.Server | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with running_site(self.data, remote=self.remote) as site:
            config = uvicorn.Config(site.app, log_config=None, lifespan="off", access_log=False)
            # Tools that try what a site answers to wrong keys do so from one address.
            site.services.keyring.guesses = Guesses(failures_max=1 << 30)
            self.site, self.server = site, uvicorn.Server(config)
            self.loop = asyncio.get_running_loop()
            handoff = Handoff(self.data / "handoff.sock", site.services)
            if self.handoff:
                handoff.open()
                facts = replace(site.services.instance, handoff=str(self.data / "handoff.sock"))
                site.services.instance = facts
            self.started.set()
            await self.server.serve(sockets=[self.listener])
            await handoff.close()


@contextmanager
def served_site(
    data: Path, *, remote: Remote | None = None, handoff: bool = False
) -> Generator[tuple[str, str]]:
    """The URL of a site and its administrator's key. With `handoff`, files change hands over a socket beside its data."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(data, listener, remote, handoff)
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
