"""Secrets on a real instance: ranks have them, and nobody finds them anywhere else."""

import json
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.daily import end, gw, running, wrote
from tests.surface.server.jobs import View, python, read, submit, wait_phase
from tests.waiting import until

pytestmark = pytest.mark.slow

VALUE = "s3cret-Zq7w4nP1-value"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END KEY-----"
USES = {"HUB": "hub", "TLS": {"secret": "tls", "into": "file"}}
SHOWS = """
import os, pathlib, stat, sys, time
path = pathlib.Path(os.environ["HUB_FILE"])
print("mode", oct(path.stat().st_mode & 0o777), "same", path.read_text() == os.environ["HUB"])
print("file alone", "TLS" not in os.environ, len(pathlib.Path(os.environ["TLS_FILE"]).read_text()))
print("value", os.environ["HUB"], "and", os.environ["HUB"][:9], end="", flush=True)
time.sleep(0.2)
print(os.environ["HUB"][9:], flush=True)
print(pathlib.Path(os.environ["TLS_FILE"]).read_text(), flush=True)
print(os.environ, flush=True)
"""
FAILS = SHOWS + "raise SystemExit('cannot log in with ' + os.environ['HUB'])"
STAYS = SHOWS + "time.sleep(600)"


@pytest.fixture(scope="module", autouse=True)
def _kept(instance: Instance) -> None:
    for name, value in (("hub", VALUE), ("tls", KEY)):
        done = gw(instance, "secrets", "set", name, stdin=value + "\n")
        assert (done.returncode, done.stdout) == (0, ""), done


def found_below(place: Path) -> list[Path]:
    """Files in which a value is, or a line of one."""
    looked_for = [VALUE.encode(), VALUE.encode()[9:], KEY.encode().splitlines()[1]]
    return [
        path
        for path in place.rglob("*")
        if path.is_file() and any(each in path.read_bytes() for each in looked_for)
    ]


def everything_told(api: Api, job: View) -> str:
    paths = ("", "/spec", "/explain")
    told = [api.call("GET", f"/v1/jobs/{job['id']}{path}") for path in paths]
    return json.dumps([*told, api.call("GET", "/v1/events?limit=500"), read(api, job)])


def test_a_rank_has_its_secrets_and_nothing_else_has(instance: Instance, api: Api) -> None:
    job = running(api, STAYS, secrets=USES)
    wrote(instance, job, "environ(")
    pid = read(api, job)["attempts"][0]["ranks"][0]["pid"]
    environ = dict(
        each.split("=", 1)
        for each in Path(f"/proc/{pid}/environ").read_text().split("\0")
        if "=" in each
    )
    assert (environ["HUB"], "TLS" in environ) == (VALUE, False)
    logs = gw(instance, "logs", job["id"]).stdout
    assert "mode 0o400 same True\n" in logs
    assert f"file alone True {len(KEY)}\n" in logs
    assert "value *** and ***\n***\n" in logs
    assert "'HUB': '***'" in logs
    assert [path for path in found_below(instance.data) if path.parent.name != "secrets"] == []
    argv = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    assert VALUE.encode() not in argv
    assert VALUE not in everything_told(api, job)
    files = [Path(environ[f"{name}_FILE"]) for name in USES]
    assert [path.exists() for path in files] == [True, True]
    end(api, job)
    until(lambda: not any(path.exists() for path in files), what="the files are gone")
    assert found_below(instance.data) == []


def test_a_job_that_fails_with_a_secret_on_its_lips_tells_no_one(
    instance: Instance, api: Api
) -> None:
    job = submit(api, python(FAILS), secrets=USES)
    view = wait_phase(api, job, "failed")
    assert "cannot log in with ***" in json.dumps(view["attempts"])
    assert VALUE not in everything_told(api, job)
    assert found_below(instance.data) == []


def test_flags_say_the_same_as_a_file(instance: Instance, api: Api, tmp_path: Path) -> None:
    options = ("--secret", "HUB=hub", "--secret", "TLS=tls:file", "--no-bundle", "-o", "json")
    options += ("--cpus", "0.1")
    done = gw(instance, "run", *options, "--", "true", cwd=tmp_path)
    assert done.returncode == 0, done
    job = json.loads(done.stdout)
    assert job["secrets"] == {"HUB": "hub", "TLS": "tls"}
    spec = api.call("GET", f"/v1/jobs/{job['id']}/spec")[1]["spec"]
    assert spec["secrets"] == {"HUB": {"secret": "hub", "into": "env"}, "TLS": USES["TLS"]}


def test_what_a_project_has_not_is_refused_at_once(instance: Instance, api: Api) -> None:
    gw(instance, "secrets", "set", "pypi", "--for", "https://pypi.example.com", stdin="ci:s3cret")
    for name, said in (
        ("nothing", "there is no secret nothing"),
        ("pypi", "is for https://pypi.example.com, and not for ranks"),
    ):
        body = {"name": "x", "command": ["true"], "secrets": {"HUB": name}}
        status, problem = api.call("POST", "/v1/jobs", body)
        assert (status, problem["field"], said in problem["detail"]) == (422, "secrets.HUB", True)


def test_keys_change_while_jobs_come_and_go(instance: Instance, api: Api) -> None:
    before = (instance.data / "secrets.key").read_text()
    done = gw(instance, "secrets", "rotate-key")
    assert (done.returncode, "secrets are sealed anew" in done.stderr) == (0, True), done
    assert (instance.data / "secrets.key").read_text() != before
    job = submit(api, python("import os; print(len(os.environ['HUB']))"), secrets=USES)
    wait_phase(api, job, "succeeded")
    assert gw(instance, "logs", job["id"]).stdout == f"{len(VALUE)}\n"


def test_a_secret_that_went_before_its_job_starts_is_the_jobs_fault(
    instance: Instance, api: Api
) -> None:
    gw(instance, "secrets", "set", "brief", stdin="soon-gone")
    first = running(api)
    job = submit(api, ["true"], secrets={"B": "brief"}, after_done=[first["id"]])
    assert gw(instance, "secrets", "remove", "brief").returncode == 0
    end(api, first)
    view = wait_phase(api, job, "failed", "succeeded")
    assert (view["phase"], "there is no secret brief" in json.dumps(view)) == ("failed", True)
