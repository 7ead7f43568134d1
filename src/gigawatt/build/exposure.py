"""Whether an address is reached from other machines, and on which terms it may be."""

import ipaddress

from gigawatt.model.refusal import RefusalCode, RefusalError


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposed(host: str, *, tls: bool, insecure: bool) -> None:
    """Refuse to be reached from other machines in the clear, unless that was asked for. Raises RefusalError."""
    if tls or insecure or is_loopback(host):
        return
    raise RefusalError(
        RefusalCode.FORBIDDEN,
        f"on {host} other machines reach it, and keys would travel to it unencrypted",
        field="host",
        hint="serve by TLS: --tls, or --tls-cert and --tls-key; behind a proxy that does, --insecure-no-tls",
    )
