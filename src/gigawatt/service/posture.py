"""What is asked of an instance by who buys or audits it, as far as it can look by itself: each answer with its evidence.

Nothing here reads or tells a secret: of files it is their modes, of keys how many there are and when they end.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from gigawatt.model.gang import Isolation
from gigawatt.model.quota import NO_ENTITLEMENT
from gigawatt.model.tenant import ApiKey, Project

WATCH_S_MAX = 3_600  # between looks at an idle node
AUDIT_DAYS = 400
OTHERS = stat.S_IRWXG | stat.S_IRWXO
MODES_MAX = 5  # files that are named in one finding


class Result(StrEnum):
    PASS = "pass"  # noqa: S105 - a word, and no password
    FAIL = "fail"
    NONE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`check` is its name, the same for ever; `hint` what to do where it failed."""

    check: str
    result: Result
    evidence: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """What the operator has set, as far as it is asked for."""

    data: Path = Path()
    host: str = "127.0.0.1"
    reached: bool = False  # by other machines
    tls: str = ""  # by what; empty for plain HTTP
    key_at: str = ""  # the file that the key of secrets is in; empty where it is in none
    checks: str = "off"  # of nodes, before they are used
    watch_s: int = 0  # between looks at idle nodes; 0 is never
    own_checks: bool = True  # false where the batch system checks its nodes
    store: str = "sqlite"
    weakened: tuple[str, ...] = ()  # settings that give safety up, as they are set
    audit_days: int | None = None  # for how long the audit log is kept; None without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found of the instance as it runs."""

    keys: tuple[ApiKey, ...]
    projects: tuple[Project, ...]
    tenants: int
    classes: frozenset[Isolation]
    least: Isolation
    providers: tuple[str, ...]
    secrets: int
    faults: tuple[str, ...] = field(default=())  # secrets that do not open


def findings(posture: Posture, seen: Seen, *, now_ms: int) -> tuple[Finding, ...]:
    """Every check, in the order of the docs."""
    return (
        _reached(posture),
        _sealed(seen),
        _key_apart(posture),
        *_private(posture.data),
        _providers(seen),
        _keys_end(seen, now_ms),
        _isolated(seen),
        _tokens(),
        _health(posture),
        _quotas(seen),
        _audited(posture),
        _backups(posture),
        _weakened(posture),
    )


def modes(data: Path) -> Iterator[tuple[Path, int]]:
    """Files that hold keys, and how they can be read."""
    named = ("token", "secret", "secrets.key", "gateway/token", "tls/ca.key", "tls/leaf.pem")
    found = [data / name for name in named]
    found += sorted((data / "secrets").rglob("*.json"))
    for path in found:
        if path.is_file():
            yield path, stat.S_IMODE(path.stat().st_mode)


def _found(check: str, *, good: bool, evidence: str, hint: str) -> Finding:
    result = Result.PASS if good else Result.FAIL
    return Finding(check=check, result=result, evidence=evidence, hint="" if good else hint)


def _reached(posture: Posture) -> Finding:
    where = f"listens on {posture.host}"
    if posture.tls:
        evidence = f"{where}, by TLS 1.2 or later with {posture.tls}"
    elif posture.reached:
        evidence = f"{where}, which other machines reach, without TLS"
    else:
        evidence = f"{where}, which no other machine reaches"
    return _found(
        "encrypted-in-transit",
        good=bool(posture.tls) or not posture.reached,
        evidence=evidence,
        hint="gw up --tls, or --tls-cert and --tls-key",
    )


def _sealed(seen: Seen) -> Finding:
    faults = ", ".join(seen.faults[:MODES_MAX])
    evidence = f"{seen.secrets} secrets are sealed by AES-256-GCM with keys of their projects"
    return _found(
        "encrypted-at-rest",
        good=not seen.faults,
        evidence=f"{len(seen.faults)} secrets do not open: {faults}" if seen.faults else evidence,
        hint="set them again: gw secrets set NAME",
    )


def _key_apart(posture: Posture) -> Finding:
    beside = bool(posture.key_at) and Path(posture.key_at).is_relative_to(posture.data)
    where = f"in {posture.key_at}" if posture.key_at else "in no file"
    return _found(
        "key-apart-from-data",
        good=not beside,
        evidence=f"the key of secrets is {where}{', within the data directory' if beside else ''}",
        hint="set secrets_key to file:PATH elsewhere, env:NAME or command:PROGRAM",
    )


def _private(data: Path) -> tuple[Finding, ...]:
    open_ones = [f"{path} {mode:o}" for path, mode in modes(data) if mode & OTHERS]
    count = sum(1 for _ in modes(data))
    if data.stat().st_mode & stat.S_IWOTH:
        open_ones.insert(0, f"{data} can be written by everybody")
    shown = ", ".join(open_ones[:MODES_MAX])
    return (
        _found(
            "key-files-private",
            good=not open_ones,
            evidence=f"others can read {shown}"
            if open_ones
            else f"{count} files, all 0600 or less",
            hint="chmod 600 each, and take new keys: others may have them",
        ),
    )


def _providers(seen: Seen) -> Finding:
    return _found(
        "people-sign-in",
        good=bool(seen.providers),
        evidence=f"by OpenID: {', '.join(seen.providers)}"
        if seen.providers
        else "by API keys alone",
        hint="name a provider by sign_in, so that who leaves there leaves here",
    )


def _keys_end(seen: Seen, now_ms: int) -> Finding:
    live = [
        key
        for key in seen.keys
        if key.revoked_ms is None
        and (not key.expires_ms or key.expires_ms > now_ms)
        and key.created_by != "gw up"
    ]
    endless = sorted(key.name for key in live if not key.expires_ms)
    shown = ", ".join(endless[:MODES_MAX])
    return _found(
        "keys-expire",
        good=not endless,
        evidence=f"{len(endless)} of {len(live)} keys never expire: {shown}"
        if endless
        else f"{len(live)} keys, all with an end; none is a password, and none is a default",
        hint="make others with --expires, and revoke these",
    )


def _isolated(seen: Seen) -> Finding:
    able = ", ".join(sorted(each.value for each in seen.classes)) or "none"
    evidence = f"every gang has at least {seen.least.value}; classes to be had: {able}"
    if seen.tenants < 2 and seen.least is Isolation.NONE:
        one = f"one tenant; classes to be had: {able}"
        return Finding(check="tenants-isolated", result=Result.NONE, evidence=one)
    return _found(
        "tenants-isolated",
        good=seen.least is not Isolation.NONE,
        evidence=f"{seen.tenants} tenants; {evidence}",
        hint="start it with isolation process or user",
    )


def _tokens() -> Finding:
    evidence = "ranks have tokens of their own job, worth nothing once its attempt has ended"
    return Finding(check="workloads-scoped", result=Result.PASS, evidence=evidence)


def _health(posture: Posture) -> Finding:
    if not posture.own_checks:
        told = "the batch system checks its nodes"
        return Finding(check="nodes-checked", result=Result.NONE, evidence=told)
    watched = 0 < posture.watch_s <= WATCH_S_MAX
    every = f"every {posture.watch_s} s" if posture.watch_s else "never"
    return _found(
        "nodes-checked",
        good=watched and posture.checks != "off",
        evidence=f"before use: {posture.checks}; idle nodes: {every}",
        hint="set node_checks to quick or full, and node_watch_s to 300",
    )


def _quotas(seen: Seen) -> Finding:
    endless = sorted(each.id for each in seen.projects if each.entitlement == NO_ENTITLEMENT)
    shown = ", ".join(endless[:MODES_MAX])
    return _found(
        "quotas-enforced",
        good=not endless,
        evidence=f"{len(endless)} of {len(seen.projects)} projects have no quota or limit: {shown}"
        if endless
        else f"{len(seen.projects)} projects, all with a quota or a limit, which admission keeps",
        hint="gw quota set PROJECT --gpus 8 --limit-gpus 16",
    )


def _audited(posture: Posture) -> Finding:
    days = posture.audit_days
    if days is None:
        told = "this version keeps events, and no log of its own for audits"
        return Finding(check="audit-kept", result=Result.FAIL, evidence=told)
    return _found(
        "audit-kept",
        good=days >= AUDIT_DAYS,
        evidence=f"who did what, from where, with what outcome, is kept for {days} days",
        hint=f"keep it for {AUDIT_DAYS} days",
    )


def _backups(posture: Posture) -> Finding:
    if posture.store != "sqlite":
        told = f"the state is in {posture.store}, whose operator backs it up"
        return Finding(check="backed-up", result=Result.NONE, evidence=told)
    return Finding(
        check="backed-up",
        result=Result.FAIL,
        evidence=f"the state is in {posture.data}, and gigawatt makes no copies of it",
        hint="have the file system's snapshots taken, or keep the state in PostgreSQL",
    )


def _weakened(posture: Posture) -> Finding:
    said = ", ".join(posture.weakened)
    return _found(
        "settings-safe",
        good=not posture.weakened,
        evidence=f"safety is given up by {said}" if said else "no setting gives safety up",
        hint="unset them where they are not needed",
    )
