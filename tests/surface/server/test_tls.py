"""An instance behind TLS: its own authority or the operator's certificates, for every client that it has."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from benchmarks.instance import GW, Instance, found, stop

from tests.surface.server.daily import gw
from tests.waiting import until

pytestmark = pytest.mark.slow

SAFE = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
Up = Callable[..., Instance]


@pytest.fixture
def up(own_data: Path) -> Iterator[Up]:
    def start(*options: str, environ: Mapping[str, str] = os.environ) -> Instance:
        place = ("--data", str(own_data), "--port", "0", "--gateway-port", "0")
        command = [*GW, "up", "--detach", *place, *options]
        env = {**os.environ, **environ}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        return found(own_data)

    yield start
    stop(own_data)


def answer(url: str, authority: Path, path: str = "/readyz") -> http.client.HTTPResponse:
    place = urlsplit(url)
    context = ssl.create_default_context(cafile=authority)
    connection = http.client.HTTPSConnection(
        place.hostname or "", place.port, context=context, timeout=30
    )
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def serial_of(url: str, authority: Path) -> object:
    place = urlsplit(url)
    context = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection((place.hostname, place.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=place.hostname) as secure,
    ):
        return (secure.getpeercert() or {}).get("serialNumber")


def test_an_authority_of_its_own_serves_every_client_of_this_machine(up: Up) -> None:
    instance = up("--tls")
    authority = instance.data / "tls" / "ca.pem"
    for url in (instance.api_url, instance.gateway_url):
        assert url.startswith("https://127.0.0.1:")
        response = answer(url, authority)
        assert response.status == 200
        assert {name: response.headers[name] for name in SAFE} == SAFE
        assert (
            response.headers["strict-transport-security"] is None
        )  # of localhost: it is everybody's
    script = (
        "import os, gigawatt as gw; "
        "print(gw.Client().whoami()['role'], os.environ['GIGAWATT_API'].partition(':')[0])"
    )
    run = ("run", "--wait", "--no-bundle", "--name", "tls", "--", sys.executable, "-c", script)
    assert gw(instance, *run).returncode == 0
    assert gw(instance, "logs", "tls").stdout == "rank https\n"
    talk = ("run", "--no-bundle", "--name", "talk", "--", "sleep", "600")
    assert gw(instance, *talk).returncode == 0
    until(
        lambda: (
            gw(instance, "exec", "talk", "--", "echo", "by websocket").stdout == "by websocket\n"
        ),
        what="a talk through TLS",
    )


def test_another_machine_is_told_what_to_believe(up: Up, tmp_path: Path) -> None:
    instance = up("--tls")
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "GIGAWATT_DATA": str(tmp_path / "none")}
    login = ("login", instance.api_url, "--name", "far")
    refused = gw(instance, *login, stdin=instance.token, environ=home)
    assert (refused.returncode, "certificate verify failed" in refused.stderr) == (1, True), refused
    ca = ("--ca", str(instance.data / "tls" / "ca.pem"))
    done = gw(instance, *login, *ca, stdin=instance.token, environ=home)
    assert done.returncode == 0, done
    listed = gw(instance, "nodes", "-o", "json", environ={**home, "GIGAWATT_CONTEXT": "far"})
    assert [each["id"] for each in json.loads(listed.stdout)["items"]] == ["node-0"]


def test_the_operators_certificate_is_read_again_when_it_changes(up: Up, tmp_path: Path) -> None:
    ca = trustme.CA()
    authority, pair = tmp_path / "ca.pem", tmp_path / "pair.pem"
    ca.cert_pem.write_to_path(authority)
    names = ("localhost", "127.0.0.1")
    ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(pair)
    options = ("--tls-cert", str(pair), "--tls-key", str(pair), "--tls-names", "localhost")
    instance = up(*options, environ={"GIGAWATT_TLS_CA": str(authority)})
    assert urlsplit(instance.api_url).hostname == "localhost"
    assert gw(instance, "nodes").returncode == 0
    before = [serial_of(url, authority) for url in (instance.api_url, instance.gateway_url)]
    fresh = tmp_path / "fresh.pem"
    ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(fresh)
    fresh.replace(pair)
    for url, old in zip((instance.api_url, instance.gateway_url), before, strict=True):
        until(lambda url=url, old=old: serial_of(url, authority) != old, what="the new one")
    assert gw(instance, "nodes").returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "keys would travel to it unencrypted"),
        (("--tls-cert", "/no/such/file"), "a certificate goes with its key"),
        (("--tls-cert", "/no/a", "--tls-key", "/no/b"), "are no certificate with its key"),
    ],
)
def test_what_is_not_safe_does_not_start(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    place = ("--data", str(tmp_path / "data"), "--port", "0", "--gateway-port", "0", "--detach")
    done = subprocess.run(
        [*GW, "up", *place, *options], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, said in done.stderr, done.stdout) == (2, True, ""), done
    assert not (tmp_path / "data" / "instance.json").exists()


def test_a_gateway_alone_is_no_less_careful(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(
        "keys: [{name: a, key: sk-12345678}]\nmodels: [{name: m, servers: ['http://x:1']}]\n"
    )
    command = [*GW, "gateway", str(file), "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120
    )
    assert (done.returncode, "keys would travel to it unencrypted" in done.stderr) == (2, True)
    plain = [sys.executable, "-m", "gigawatt.gateway", "--host", "0.0.0.0", "--port", "0"]
    plain += ["--config", str(tmp_path / "gigawatt-gateway" / "config.json")]
    done = subprocess.run(plain, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "--insecure-no-tls" in done.stderr) == (1, True)
