"""A real S3 API over HTTP for tests: moto's server in a process of its own, which checks signatures, behind a wire to cut."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import boto3

from tests.waiting import until

BUCKET = "artifacts"
PART_BYTES_MIN = 64 * 1024  # smaller than Amazon's, so that tests need few bytes
ALLOW_ALL = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
)
START_CALLS = 4  # that need no key: what `_key` does


@dataclass(slots=True)
class S3Server:
    """`access_key` and `secret_key` are the only ones that are let in."""

    port: int
    process: "subprocess.Popen[bytes]"
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> AbstractContextManager[Any]:
        return closing(_client("s3", self.endpoint, self.access_key, self.secret_key))

    def keys(self) -> list[str]:
        """Of every object."""
        with self.client() as client:
            found = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [each["Key"] for each in found]

    def uploads(self) -> int:
        """Parts of files that are neither completed nor aborted."""
        with self.client() as client:
            return len(client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))

    def credentials(self, path: Path, *, secret: str = "") -> Path:
        """A file with its keys, or with another secret."""
        path.touch(mode=0o600)
        path.write_text(
            f"[default]\naws_access_key_id = {self.access_key}\n"
            f"aws_secret_access_key = {secret or self.secret_key}\n"
        )
        return path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running_s3() -> Generator[S3Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    environ = {
        **os.environ,
        "INITIAL_NO_AUTH_ACTION_COUNT": str(START_CALLS),
        "S3_UPLOAD_PART_MIN_SIZE": str(PART_BYTES_MIN),
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environ, stdout=quiet, stderr=quiet)
    server = S3Server(port, process)
    try:
        until(lambda: _answers(port), what="moto's server answers")
        _key(server)
        yield server
    finally:
        server.kill()


@dataclass(slots=True)
class Wire:
    """A TCP port that leads to another one, until it is cut. `seen` is told of the bytes that go each way."""

    target: int
    seen: Callable[["Wire"], None] = lambda _: None
    sent: int = 0  # bytes of requests
    received: int = 0  # bytes of answers
    _cut: bool = False
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: list[socket.socket] = field(default_factory=list[socket.socket])
    _pumps: list[threading.Thread] = field(default_factory=list[threading.Thread])

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        self._pumps.append(threading.Thread(target=self._accept))
        self._pumps[0].start()

    def cut(self) -> None:
        """Break every connection, and any that is made from now on."""
        self._cut = True
        for each in self._open:
            _shut(each)

    def mend(self) -> None:
        self._cut = False
        self.seen = lambda _: None

    def close(self) -> None:
        self.cut()
        _shut(self._listener)
        for each in self._pumps:
            each.join()
        for each in (self._listener, *self._open):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = None if self._cut else _connected(self.target)
            if far is None:
                near.close()
                continue
            self._open += [near, far]
            for source, target, name in ((near, far, "sent"), (far, near, "received")):
                pump = threading.Thread(target=self._pump, args=(source, target, name))
                self._pumps.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, name: str) -> None:
        with suppress(OSError):
            while data := source.recv(16_384):
                setattr(self, name, getattr(self, name) + len(data))
                self.seen(self)
                target.sendall(data)
        for each in (source, target):
            _shut(each)  # the other pump then ends too
        source.close()  # unread bytes: who sends them is told


@contextmanager
def wire_to(server: S3Server) -> Generator[Wire]:
    wire = Wire(server.port)
    wire.start()
    try:
        yield wire
    finally:
        wire.close()


def _client(service: str, endpoint: str, access_key: str, secret_key: str) -> Any:
    return cast("Any", boto3).client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key or "none",
        aws_secret_access_key=secret_key or "none",
    )


def _key(server: S3Server) -> None:
    """Make a user that may do everything and, with its last free call, the bucket; keys are checked from then on."""
    with closing(_client("iam", server.endpoint, "", "")) as iam:
        iam.create_user(UserName="gigawatt")
        key = iam.create_access_key(UserName="gigawatt")["AccessKey"]
        iam.put_user_policy(UserName="gigawatt", PolicyName="all", PolicyDocument=ALLOW_ALL)
    with closing(_client("s3", server.endpoint, "", "")) as s3:
        s3.create_bucket(Bucket=BUCKET)
    server.access_key, server.secret_key = key["AccessKeyId"], key["SecretAccessKey"]


def _answers(port: int) -> bool:
    connection = _connected(port)
    if connection is not None:
        connection.close()
    return connection is not None


def _connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port))
    except OSError:
        return None


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
