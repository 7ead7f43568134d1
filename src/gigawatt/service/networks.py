"""Which addresses a webhook may lead to: public ones, and those that the operator names."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from gigawatt.model.refusal import RefusalCode, RefusalError

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")


def parse_networks(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8, fd00::/8`. Raises ValueError."""
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def check_networks(value: str, source: str) -> None:
    """Raises RefusalError for what are no networks, naming `source`."""
    try:
        parse_networks(value)
    except ValueError as error:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{source} is {value!r}: {error}",
            field="webhook_networks",
            hint="write networks one after another: 10.0.0.0/8, fd00::/8",
        ) from None


def may_connect(address: str, allowed: Sequence[Network]) -> bool:
    """Whether this very address is public or allowed, and so is every address that it hides."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_one_may(each, allowed) for each in (found, *_hidden(found)))


def _one_may(address: IpAddress, allowed: Sequence[Network]) -> bool:
    if any(address in network for network in allowed if network.version == address.version):
        return True
    if isinstance(address, IPv6Address) and _hidden(address):
        return True  # by what it hides
    return address.is_global and not address.is_multicast


def _hidden(address: IpAddress) -> tuple[IPv4Address, ...]:
    """IPv4 addresses that packets to an IPv6 address end up at."""
    if isinstance(address, IPv4Address):
        return ()
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    found = [address.ipv4_mapped, address.sixtofour]
    found += [low] if address in _NAT64 else []
    found += list(address.teredo or ())
    return tuple(each for each in found if each is not None)
