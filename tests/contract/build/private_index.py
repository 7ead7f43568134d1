"""A real index server behind a user name and a password, on this machine."""

import base64
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.contract.build.packages import sha256_of


@dataclass(slots=True, kw_only=True)
class PrivateIndex:
    """`asked` are the paths that were asked for, with whether they were entered rightly."""

    url: str
    wheels: Path
    pair: str
    asked: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])


@contextmanager
def private_index(wheels: Path, pair: str) -> Generator[PrivateIndex]:
    """Serves the wheels of a directory as a `simple` index to who sends `pair` (user:password)."""
    wanted = "Basic " + base64.b64encode(pair.encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = self.headers.get("Authorization") == wanted
            index.asked.append((self.path, right))
            if not right:
                self._answer(401, b"who are you?")
            elif self.path.startswith("/files/"):
                self._answer(200, (wheels / self.path.removeprefix("/files/")).read_bytes())
            else:
                self._page(self.path.strip("/").rpartition("/")[2])

        def _page(self, package: str) -> None:
            found = sorted(wheels.glob(f"{package}-*.whl"))
            links = [
                f'<a href="/files/{each.name}#sha256={sha256_of(each)}">{each.name}</a>'
                for each in found
            ]
            self._answer(200 if found else 404, "\n".join(links).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    index = PrivateIndex(url=url, wheels=wheels, pair=pair)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
