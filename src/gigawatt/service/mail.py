"""Sending mail by the operator's server: over TLS, signed in, with every wait bounded."""

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.answer import SAID_CHARS_MAX, Answer, said, untrusted
from gigawatt.service.trust import trusting

STEP_S = 10.0  # for each step of the conversation
WHOLE_S = 30.0  # for all of it
SENDERS_MAX = 2  # messages on their way at once
PASSWORD_BYTES_MAX = 4_096
SUBJECT_CHARS_MAX = 200
LINE_MAX = 900  # a header that is folded at its start is read with a space too many
_TURNED_DOWN = 500  # SMTP: from here on, asking again is in vain


class MailTls(StrEnum):
    """How a connection is encrypted: after a word in the open, from the first byte, or not."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRules:
    """The operator's mail server. The password is read for each message, and kept nowhere else."""

    host: str
    port: int
    sender: str
    tls: MailTls = MailTls.STARTTLS
    user: str = ""
    password_file: str = ""
    domains: tuple[str, ...] = ()  # that mail may go to; none for any
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message to write. `id` is what it is known by when it is sent twice."""

    id: str
    to: tuple[str, ...]
    subject: str
    text: str
    at_ms: int


class MailServer:
    """`close` it at the end. Raises RefusalError for rules that cannot be kept."""

    def __init__(self, rules: MailRules) -> None:
        if rules.tls is MailTls.NONE and rules.user:
            detail = "mail_tls is none, and mail_user would send its password in the open"
            hint = "set mail_tls to starttls or tls, or leave mail_user empty"
            raise RefusalError(RefusalCode.INVALID, detail, field="mail_tls", hint=hint)
        if not rules.sender:
            detail = "mail_host is set, and mail_from is not: mail needs an address it comes from"
            raise RefusalError(RefusalCode.INVALID, detail, field="mail_from")
        self._rules = rules
        self._senders = ThreadPoolExecutor(SENDERS_MAX, thread_name_prefix="mail")

    def check_recipients(self, addresses: tuple[str, ...]) -> None:
        """Raises RefusalError for an address in a domain that mail may not go to."""
        allowed = self._rules.domains
        for address in addresses:
            domain = address.rpartition("@")[2].lower()
            if allowed and domain not in allowed:
                detail = f"mail may not go to {domain}"
                hint = f"it may go to: {', '.join(allowed)} (GIGAWATT_MAIL_DOMAINS)"
                raise RefusalError(RefusalCode.FORBIDDEN, detail, field="email", hint=hint)

    async def send(self, mail: Mail) -> Answer:
        """How a message went. Never raises for what the world does."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WHOLE_S):
                return await loop.run_in_executor(self._senders, self._send, mail)
        except TimeoutError:
            return Answer(status=0, error=f"no answer in {WHOLE_S:g} s")

    def close(self) -> None:
        self._senders.shutdown(wait=False, cancel_futures=True)

    def _send(self, mail: Mail) -> Answer:
        try:
            with self._connected() as server:
                refused = server.send_message(
                    written(mail, sender=self._rules.sender),
                    from_addr=parseaddr(self._rules.sender)[1],
                    to_addrs=list(mail.to),
                )
        except RefusalError as error:
            return Answer(status=0, error=error.detail)
        except smtplib.SMTPAuthenticationError as error:
            # Its words are left out: a server may repeat what it was sent.
            detail = f"the mail server refused the sign-in ({error.smtp_code})"
            return Answer(status=error.smtp_code, error=detail)
        except smtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients)
        except smtplib.SMTPResponseException as error:
            return _turned_down(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            return untrusted(error) or Answer(status=0, error=f"not reached: {said(error)}")
        part = f"not to {_recipients(refused)}" if refused else ""
        return Answer(status=250, error=part)

    def _connected(self) -> smtplib.SMTP:
        rules = self._rules
        context = trusting(rules.ca_file)
        name = parseaddr(rules.sender)[1].rpartition("@")[2]
        if rules.tls is MailTls.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                rules.host, rules.port, local_hostname=name, timeout=STEP_S, context=context
            )
        else:
            server = smtplib.SMTP(rules.host, rules.port, local_hostname=name, timeout=STEP_S)
        try:
            self._sign_in(server, context)
        except BaseException:
            server.close()
            raise
        return server

    def _sign_in(self, server: smtplib.SMTP, context: ssl.SSLContext) -> None:
        if self._rules.tls is MailTls.STARTTLS:
            server.starttls(context=context)
        if self._rules.user:
            server.login(self._rules.user, _password(Path(self._rules.password_file)))


def written(mail: Mail, *, sender: str) -> EmailMessage:
    """A message as it goes over the wire."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=LINE_MAX))
    message["From"] = sender
    message["To"] = ", ".join(mail.to)
    message["Subject"] = "".join(each if each.isprintable() else " " for each in mail.subject)[
        :SUBJECT_CHARS_MAX
    ]
    message["Date"] = format_datetime(datetime.fromtimestamp(mail.at_ms / 1_000, UTC))
    message["Message-ID"] = f"<{mail.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _password(path: Path) -> str:
    """Raises RefusalError, which does not repeat what is in the file."""
    try:
        if path.stat().st_mode & 0o077:
            detail = f"{path} with the mail server's password can be read by others"
            raise RefusalError(RefusalCode.FORBIDDEN, detail, hint=f"chmod 600 {path}")
        with path.open(encoding="utf-8") as file:
            return file.read(PASSWORD_BYTES_MAX).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        detail = f"{path} with the mail server's password cannot be read ({type(error).__name__})"
        raise RefusalError(RefusalCode.NOT_FOUND, detail) from None


def _refused(recipients: Mapping[str, tuple[int, bytes]]) -> Answer:
    """Nobody was taken. It is final when nobody ever will be."""
    codes = [code for code, _ in recipients.values()]
    detail = f"refused for {_recipients(recipients)}"
    return Answer(status=max(codes), error=detail, final=min(codes) >= _TURNED_DOWN)


def _turned_down(code: int, words: bytes | str) -> Answer:
    detail = f"the mail server answered {code} {_text(words)}"
    return Answer(status=max(code, 0), error=detail, final=code >= _TURNED_DOWN)


def _recipients(recipients: Mapping[str, tuple[int, bytes]]) -> str:
    told = [f"{to} ({code} {_text(words)})" for to, (code, words) in sorted(recipients.items())]
    return ", ".join(told)[: 2 * SAID_CHARS_MAX]


def _text(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return " ".join(text.split())[:SAID_CHARS_MAX]
