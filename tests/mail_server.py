"""A mail server on loopback, that speaks SMTP as real ones do: with TLS, sign-in, and what it turns down."""

import asyncio
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import SimpleNamespace
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.waiting import until


@dataclass(slots=True, kw_only=True)
class Mailbox:
    """`answers` are for the next messages, then all is well; `unknown` are addresses that nobody has."""

    port: int = 0
    got: list[EmailMessage] = field(default_factory=list[EmailMessage])
    encrypted: list[bool] = field(default_factory=list[bool])
    signed_in: list[bool] = field(default_factory=list[bool])
    answers: list[str] = field(default_factory=list[str])
    unknown: tuple[str, ...] = ()

    async def wait(self, count: int) -> list[EmailMessage]:
        """The first `count` messages, once they are there."""
        return await asyncio.to_thread(
            until, lambda: self.got[:count] if len(self.got) >= count else None
        )

    async def recipient(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.unknown:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def data(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        content = cast("bytes", envelope.content)
        self.got.append(message_from_bytes(content, policy=default))
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("cipher") is not None)
        self.signed_in.append(bool(session.authenticated))
        return "250 OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """How a server is spoken to. With `user`, only to who signs in."""

    tls: ssl.SSLContext | None = None
    from_the_first: bool = False
    user: str = ""
    password: str = ""


@contextmanager
def a_mail_server(spoken: Spoken) -> Generator[Mailbox]:
    box, loop = Mailbox(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opened = asyncio.run_coroutine_threadsafe(_opened(box, spoken), loop).result(10)
    box.port = opened.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(_closed(opened), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _opened(box: Mailbox, spoken: Spoken) -> asyncio.Server:
    def authenticate(*given: Any) -> AuthResult:
        return AuthResult(success=_known(spoken, given[-1]), handled=False)

    def session() -> SMTP:
        return SMTP(
            SimpleNamespace(handle_RCPT=box.recipient, handle_DATA=box.data),
            hostname="mail.test",
            tls_context=None if spoken.from_the_first else spoken.tls,
            require_starttls=spoken.tls is not None and not spoken.from_the_first,
            auth_required=bool(spoken.user) and not spoken.from_the_first,
            auth_require_tls=not spoken.from_the_first,
            authenticator=authenticate,
        )

    tls = spoken.tls if spoken.from_the_first else None
    loop = asyncio.get_running_loop()
    return await loop.create_server(session, "127.0.0.1", 0, ssl=tls)


async def _closed(server: asyncio.Server) -> None:
    server.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _known(spoken: Spoken, given: Any) -> bool:
    wanted = LoginPassword(login=spoken.user.encode(), password=spoken.password.encode())
    return given == wanted
