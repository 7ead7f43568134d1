"""Signing in at a certified OpenID provider: by a browser, and by `gw login`, with everything real between."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.instance import GW, Instance, found, stop

from tests.openid_provider import Browser, openid_provider
from tests.surface.server.daily import gw

pytestmark = pytest.mark.slow

FILE = """
providers:
  - name: corp
    issuer: {issuer}
    client_id: gigawatt
    cli_client_id: gigawatt-cli
    scopes: [email, groups]
    rules:
      - {{when: {{groups: admins}}, role: tenant-admin}}
      - {{when: {{groups: alice}}, role: developer, project: default}}
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with openid_provider() as url:
        yield url


@pytest.fixture(scope="module")
def signing(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    place = tmp_path_factory.mktemp("signing")
    file, data = place / "sign-in.yaml", place / "data"
    file.write_text(FILE.format(issuer=issuer))
    command = [*GW, "up", "--detach", "--data", str(data), "--port", "0", "--gateway-port", "0"]
    env = {**os.environ, "GIGAWATT_SIGN_IN": str(file)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    yield found(data)
    stop(data)


def test_a_browser_signs_in_works_and_signs_out_everywhere(signing: Instance) -> None:
    with Browser() as first, Browser() as second:
        _both(signing, first, second)


def _both(signing: Instance, first: Browser, second: Browser) -> None:
    for browser in (first, second):
        start = f"{signing.api_url}/v1/sign-in/corp/start?return_to=/v1/whoami"
        whoami = browser.visit(start, person="admins", until='"role"').json()
        assert (whoami["name"], whoami["role"]) == ("admins", "tenant-admin")
    session = first.http.get(f"{signing.api_url}/v1/session").json()
    project = f"{signing.api_url}/v1/projects"
    assert first.http.post(project, json={"name": "mine"}).status_code == 403
    headers = {"X-CSRF-Token": session["csrf"]}
    assert first.http.post(project, json={"name": "mine"}, headers=headers).status_code == 201
    end = f"{signing.api_url}/v1/session/end"
    assert first.http.post(end, json={"everywhere": True}, headers=headers).status_code == 204
    for browser in (first, second):
        assert browser.http.get(f"{signing.api_url}/v1/whoami").status_code == 401


def test_somebody_whom_no_rule_names_is_nobody(signing: Instance) -> None:
    start = f"{signing.api_url}/v1/sign-in/corp/start"
    with Browser() as browser:
        refused = browser.visit(start, person="mallory", until="has no role here")
    assert refused.status_code == 403
    assert "gw-session" not in refused.headers.get("set-cookie", "")


def test_a_command_line_signs_in_is_renewed_and_logs_out(signing: Instance, tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path), "GIGAWATT_CONTEXT": ""}
    login = [*GW, "login", signing.api_url, "--name", "corp", "--sign-in"]
    process = subprocess.Popen(
        login, env={**signing.environ(), **home}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    told = process.stderr.readline()
    assert told.startswith("open http://127.0.0.1:")
    with Browser() as browser:
        browser.visit(told.split()[1], person="alice", until="Sign-in Success")
    said = process.stderr.read()
    assert (process.wait(timeout=60), "alice@example.org (developer)" in said) == (0, True), said
    process.stderr.close()
    stored = tmp_path / "gigawatt" / "contexts.json"
    assert stored.stat().st_mode & 0o777 == 0o600
    (before,) = json.loads(stored.read_text())["contexts"]
    assert before["token"].startswith("gw_")
    use = {**home, "GIGAWATT_CONTEXT": "corp"}
    assert gw(signing, "jobs", environ=use).returncode == 0
    stored.write_text(stored.read_text().replace(before["expires"], "1"))
    assert gw(signing, "jobs", environ=use).returncode == 0
    (after,) = json.loads(stored.read_text())["contexts"]
    assert after["token"] != before["token"]
    assert int(after["expires"]) > 1_700_000_000_000
    listed = gw(signing, "context", "list", "-o", "json", environ=home).stdout
    assert after["token"] not in listed
    assert after["refresh"] not in listed
    assert gw(signing, "logout", "corp", "--everywhere", environ=home).returncode == 0
    assert json.loads(stored.read_text())["contexts"] == []
    for key in (before["token"], after["token"]):
        assert "was revoked" in gw(signing, "jobs", key=key).stderr
