"""Certificates of our own: who believes them, for how long, and taking up new ones while connections are open."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509

from gigawatt import clock
from gigawatt.build.certificates import (
    LEAF_DAYS,
    RENEW_DAYS,
    Certificates,
    ServingContext,
    check_certificates,
    names_of,
    own_certificates,
    trusting,
)
from gigawatt.model.refusal import RefusalError

DAY_MS = 86_400_000
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def made(place: Path, *names: str, later_ms: int = 0) -> Certificates:
    return own_certificates(place, names, now_ms=clock.now_ms() + later_ms)


def with_server(
    serving: ServingContext, authority: str, story: Callable[[Connect], object]
) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=serving.context)
        port = server.sockets[0].getsockname()[1]
        trust = trusting(authority)

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", port, ssl=trust)

        try:
            told = story(connect)
            assert asyncio.iscoroutine(told)
            await told
        finally:
            server.close()

    asyncio.run(run())


def test_a_leaf_is_for_this_machine_and_the_names_that_are_given(tmp_path: Path) -> None:
    paths = made(tmp_path, "gpus.example.org", "10.1.2.3")
    wanted = {"gpus.example.org", "10.1.2.3", "localhost", "127.0.0.1", "::1"}
    assert wanted <= set(names_of(paths))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"ca.key": 0o600, "ca.pem": 0o644, "leaf.pem": 0o600}
    leaf = x509.load_pem_x509_certificate(paths.cert.read_bytes())
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == LEAF_DAYS
    check_certificates(paths)


def test_a_leaf_is_made_anew_in_time_and_for_other_names_and_the_authority_stays(
    tmp_path: Path,
) -> None:
    first = serial(made(tmp_path).cert)
    authority = (tmp_path / "ca.pem").read_bytes()
    assert serial(made(tmp_path).cert) == first
    second = serial(made(tmp_path, "other.example.org").cert)
    assert second != first
    soon_ms = (LEAF_DAYS - RENEW_DAYS) * DAY_MS - 60_000
    assert serial(made(tmp_path, "other.example.org", later_ms=soon_ms).cert) == second
    assert serial(made(tmp_path, later_ms=soon_ms + 120_000).cert) != second
    assert (tmp_path / "ca.pem").read_bytes() == authority


def test_another_authority_makes_another_leaf(tmp_path: Path) -> None:
    paths = made(tmp_path / "a")
    before = serial(paths.cert)
    made(tmp_path / "b")
    for name in ("ca.pem", "ca.key"):
        (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    assert serial(made(tmp_path / "a").cert) != before


def test_new_files_are_taken_up_and_open_connections_stay(tmp_path: Path) -> None:
    paths = made(tmp_path)
    serving = ServingContext(paths)

    async def story(connect: Connect) -> None:
        reader, writer = await connect()
        before = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        made(tmp_path, "renewed.example.org")
        assert (serving.look(), serving.look()) == (True, False)
        _, fresh = await connect()
        assert fresh.get_extra_info("ssl_object").getpeercert()["serialNumber"] != before
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        for each in (writer, fresh):
            each.close()

    with_server(serving, paths.authority, story)


def test_files_that_do_not_fit_are_left_alone(tmp_path: Path) -> None:
    paths, other = made(tmp_path / "a"), made(tmp_path / "b")
    serving = ServingContext(paths)
    paths.cert.write_text("half a certificate")
    assert not serving.look()
    with pytest.raises(RefusalError, match="are no certificate with its key"):
        check_certificates(paths)
    with pytest.raises(RefusalError, match="are no certificate with its key"):
        check_certificates(Certificates(cert=other.cert, key=tmp_path / "a" / "ca.key"))

    async def story(connect: Connect) -> None:
        _, writer = await connect()
        writer.close()

    with_server(serving, paths.authority, story)


def test_who_does_not_know_the_authority_does_not_connect(tmp_path: Path) -> None:
    paths, other = made(tmp_path / "a"), made(tmp_path / "b")

    async def story(connect: Connect) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect()

    for authority in (other.authority, ""):
        with_server(ServingContext(paths), authority, story)
