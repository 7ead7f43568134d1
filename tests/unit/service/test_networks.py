"""Where webhooks may go: public addresses, what the operator names, and nothing that hides another."""

import pytest

from gigawatt.service.networks import may_connect, parse_networks


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_may(address: str) -> None:
    assert may_connect(address, ())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "2002:0a00:0001::1",
        "not an address",
        "",
    ],
)
def test_what_is_inside_or_hides_it_may_not(address: str) -> None:
    assert not may_connect(address, ())


def test_what_the_operator_names_may_and_nothing_beside_it() -> None:
    allowed = parse_networks("10.0.0.0/8, fd00::/8")
    assert may_connect("10.1.2.3", allowed)
    assert may_connect("fd00::1", allowed)
    assert may_connect("::ffff:10.0.0.1", allowed)
    assert not may_connect("192.168.0.1", allowed)
    assert not may_connect("127.0.0.1", allowed)
    for text in ("10.0.0.0/33", "inside", "10.0.0.1/8"):
        with pytest.raises(ValueError, match=r"\S"):
            parse_networks(text)
    assert parse_networks("") == ()
