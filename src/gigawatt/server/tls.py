"""What an instance serves with on the wire, and whether it may be reached from elsewhere at all."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from gigawatt.build.certificates import (
    Certificates,
    ServingContext,
    check_certificates,
    names_of,
    own_certificates,
)
from gigawatt.build.exposure import check_exposed, is_loopback
from gigawatt.clock import now_ms
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.settings import Settings

LOOK_S = 2.0  # between looks for new files
RENEWED_EVERY_S = 3_600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """`certificates` is None for plain HTTP. `name` is what URLs call this machine; `pinned`, whether browsers may be
    told to use TLS there for good.
    """

    name: str
    certificates: Certificates | None = None
    pinned: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.certificates else "http"

    @property
    def authority(self) -> str:
        return self.certificates.authority if self.certificates else ""

    def url(self, port: int) -> str:
        host = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.scheme}://{host}:{port}"

    def context(self) -> ServingContext | None:
        return ServingContext(self.certificates) if self.certificates else None


def check_wire(settings: Settings) -> None:
    """What can be wrong with the settings of TLS. Raises RefusalError."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise RefusalError(
            RefusalCode.INVALID,
            "a certificate goes with its key",
            field="tls_cert" if settings.tls_key else "tls_key",
            hint="give both: --tls-cert FILE --tls-key FILE",
        )
    operators = _operators(settings)
    if operators is not None:
        check_certificates(operators)
    serves = operators is not None or settings.tls == "on"
    check_exposed(settings.host, tls=serves, insecure=settings.insecure_no_tls == "on")


def wire_of(settings: Settings) -> Wire:
    """What to serve with; our own authority and a leaf are made where they are wanted. Raises RefusalError."""
    names = _names(settings)
    name = names[0] if names else settings.host
    operators = _operators(settings)
    if operators is not None:
        known = names_of(operators)
        if not names and settings.host not in known:
            name = next((each for each in known if not each.startswith("*")), settings.host)
        return Wire(name=name, certificates=operators, pinned=not is_loopback(name))
    if settings.tls != "on":
        return Wire(name=name)
    try:
        made = own_certificates(settings.data / "tls", (*names, settings.host), now_ms=now_ms())
    except (OSError, ValueError) as error:
        raise RefusalError(
            RefusalCode.INVALID, f"no certificate can be made: {error}", field="tls_names"
        ) from error
    return Wire(name=name, certificates=made, pinned=bool(names))


async def keep_serving(settings: Settings, context: ServingContext | None) -> None:
    """Take up certificates that have changed, and make those of our own anew in time; until cancelled."""
    waited_s = 0.0
    while context is not None:
        await asyncio.sleep(LOOK_S)
        waited_s += LOOK_S
        if settings.tls == "on" and not settings.tls_cert and waited_s >= RENEWED_EVERY_S:
            waited_s = 0.0
            try:
                await asyncio.to_thread(wire_of, settings)
            except RefusalError as error:
                log.warning("the certificate is not renewed: %s", error.detail)
        context.look()


def _operators(settings: Settings) -> Certificates | None:
    if not settings.tls_cert:
        return None
    return Certificates(
        cert=Path(settings.tls_cert), key=Path(settings.tls_key), authority=settings.tls_ca
    )


def _names(settings: Settings) -> tuple[str, ...]:
    return tuple(each.strip() for each in settings.tls_names.split(",") if each.strip())
