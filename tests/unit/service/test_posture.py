"""What an instance says of itself: each check can pass, and can fail, and says why."""

from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.model.gang import Isolation
from gigawatt.model.quota import Entitlement
from gigawatt.model.tenant import ApiKey, Project, Role
from gigawatt.service.posture import Finding, Posture, Result, Seen, findings

NOW_MS = 1_800_000_000_000
KEY = ApiKey(
    id="key-1",
    tenant="default",
    project="",
    name="ci",
    role=Role.DEVELOPER,
    prefix="gw_",
    sha256="",
    created_ms=0,
    created_by="admin",
    expires_ms=NOW_MS + 1,
)
PROJECT = Project(
    id="default/default",
    tenant="default",
    name="default",
    created_ms=0,
    entitlement=Entitlement(weight=2),
)
SEEN = Seen(
    keys=(KEY,),
    projects=(PROJECT,),
    tenants=2,
    classes=frozenset({Isolation.PROCESS}),
    least=Isolation.PROCESS,
    providers=("https://id.example.org",),
    secrets=2,
)


def posture(data: Path) -> Posture:
    return Posture(
        data=data,
        host="0.0.0.0",
        reached=True,
        tls="a leaf",
        checks="quick",
        watch_s=300,
        store="postgresql",
        audit_days=400,
    )


def results(posture: Posture, seen: Seen = SEEN) -> dict[str, Finding]:
    return {each.check: each for each in findings(posture, seen, now_ms=NOW_MS)}


def test_an_instance_that_is_run_as_it_should_be_fails_nothing(tmp_path: Path) -> None:
    found = results(posture(tmp_path))
    assert {name: each.result.value for name, each in found.items()} == {
        "encrypted-in-transit": "pass",
        "encrypted-at-rest": "pass",
        "key-apart-from-data": "pass",
        "key-files-private": "pass",
        "people-sign-in": "pass",
        "keys-expire": "pass",
        "tenants-isolated": "pass",
        "workloads-scoped": "pass",
        "nodes-checked": "pass",
        "quotas-enforced": "pass",
        "audit-kept": "pass",
        "backed-up": "not-applicable",
        "settings-safe": "pass",
    }
    assert {each.hint for each in found.values()} == {""}


@pytest.mark.parametrize(
    ("check", "changes", "said"),
    [
        ("encrypted-in-transit", {"tls": ""}, "which other machines reach, without TLS"),
        ("key-apart-from-data", {"key_at": "DATA/secrets.key"}, "within the data directory"),
        ("nodes-checked", {"watch_s": 0}, "idle nodes: never"),
        ("nodes-checked", {"checks": "off"}, "before use: off"),
        ("audit-kept", {"audit_days": 30}, "is kept for 30 days"),
        ("audit-kept", {"audit_days": None}, "no log of its own"),
        ("backed-up", {"store": "sqlite"}, "makes no copies of it"),
        ("settings-safe", {"weakened": ("insecure_no_tls=on",)}, "given up by insecure_no_tls=on"),
    ],
)
def test_what_is_set_wrong_is_found(
    tmp_path: Path, check: str, changes: dict[str, object], said: str
) -> None:
    changed = {
        name: value.replace("DATA", str(tmp_path)) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    found = results(replace(posture(tmp_path), **changed))[check]  # pyright: ignore[reportArgumentType] - fields by name
    assert (found.result, said in found.evidence, bool(found.hint)) == (
        Result.FAIL,
        True,
        found.check != "audit-kept" or "30" in said,
    )


@pytest.mark.parametrize(
    ("check", "changes", "said"),
    [
        ("encrypted-at-rest", {"faults": ("a/b hub",)}, "1 secrets do not open: a/b hub"),
        ("people-sign-in", {"providers": ()}, "by API keys alone"),
        ("keys-expire", {"keys": (replace(KEY, expires_ms=0),)}, "1 of 1 keys never expire: ci"),
        ("tenants-isolated", {"least": Isolation.NONE}, "2 tenants; every gang has at least none"),
        ("quotas-enforced", {"projects": (replace(PROJECT, entitlement=Entitlement()),)}, "1 of 1"),
    ],
)
def test_what_is_run_wrong_is_found(
    tmp_path: Path, check: str, changes: dict[str, object], said: str
) -> None:
    seen = replace(SEEN, **changes)  # pyright: ignore[reportArgumentType] - fields by name
    found = results(posture(tmp_path), seen)[check]
    assert (found.result, said in found.evidence, bool(found.hint)) == (Result.FAIL, True, True)


def test_files_of_keys_that_others_can_read_are_named_and_not_read(tmp_path: Path) -> None:
    for name in ("token", "tls/ca.key", "secrets/a/b/hub.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s3cret")
        path.chmod(0o600)
    good = results(posture(tmp_path))["key-files-private"]
    assert (good.result, good.evidence) == (Result.PASS, "3 files, all 0600 or less")
    (tmp_path / "tls" / "ca.key").chmod(0o644)
    bad = results(posture(tmp_path))["key-files-private"]
    assert (bad.result, bad.evidence) == (
        Result.FAIL,
        f"others can read {tmp_path}/tls/ca.key 644",
    )
