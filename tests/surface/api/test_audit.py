"""The audit record: what is on it, who sees it, and that a change of it is found."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.audit import AuditNote, AuditOutcome
from gigawatt.model.change import Batch
from gigawatt.model.tenant import Role
from gigawatt.store import open_store
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow


async def records(site: Site, query: str = "", *, key: str | None = None) -> list[dict[str, Any]]:
    """Oldest first, once what is gathered is on it."""
    site.services.audit.flush()
    await site.make_key(Role.VIEWER)  # a commit after it
    return (await site.call("GET", f"/v1/audit{query}", key=key)).json()["items"][::-1]


def test_a_write_is_on_record_with_who_asked_from_where_and_how_it_ended(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        job = await site.submit()
        await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
        await site.call("POST", "/v1/users", {"name": "ada"})
        await site.call("POST", "/v1/users", {"name": "ada"})
        found = await records(site)
        assert [(each["verb"], each["target"], each["outcome"]) for each in found] == [
            ("keys.create", f"apikey:{made['id']}", "done"),
            ("jobs.submit", f"job:{job['id']}", "done"),
            ("jobs.cancel", f"job:{job['id']}", "done"),
            ("users.create", "user:default/ada", "done"),
            ("users.create", "createuser:", "refused"),
        ]
        assert {(each["actor"], each["role"], each["address"]) for each in found} == {
            ("operator", "operator", "127.0.0.1")
        }
        assert made["key"] not in str(found)
        assert (await site.view("/v1/audit/check"))["whole"]

    play(scenario)


def test_what_is_refused_and_guesses_are_on_record_and_counted(play: Play) -> None:
    async def scenario(site: Site) -> None:
        viewer = await site.make_key(Role.VIEWER)
        for _ in range(3):
            await site.call("POST", "/v1/projects", {"name": "x"}, key=viewer)
            await site.call("GET", "/v1/jobs", key="gw_wrong")
        found = await records(site, "?outcome=refused")
        assert [(each["verb"], each["detail"], each["count"]) for each in found] == [
            ("projects.create", "forbidden", 3),
            ("keys.authenticate", "unauthenticated", 3),
        ]
        assert "gw_wrong" not in str(found)

    play(scenario)


def test_records_are_found_by_filters_and_in_pages(play: Play) -> None:
    async def scenario(site: Site) -> None:
        jobs = [await site.submit() for _ in range(3)]
        await site.call("POST", "/v1/users", {"name": "ada"})
        assert [each["verb"] for each in await records(site, "?verb=users.")] == ["users.create"]
        one = await records(site, f"?target=job:{jobs[1]['id']}")
        assert [each["target"] for each in one] == [f"job:{jobs[1]['id']}"]
        assert await records(site, "?actor=nobody") == []
        assert await records(site, "?until=2020-01-01") == []
        first = (await site.call("GET", "/v1/audit?limit=3")).json()
        rest = (await site.call("GET", f"/v1/audit?limit=3&cursor={first['next']}")).json()
        assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 1, "")

    play(scenario)


def test_auditors_see_their_tenants_records_alone(play: Play) -> None:
    async def scenario(site: Site) -> None:
        site.services.accept_unisolated_tenants = True
        await site.call("POST", "/v1/tenants", {"id": "acme"})
        await site.submit()
        await site.call("POST", "/v1/users", {"name": "eve", "tenant": "acme"})
        auditor = await site.make_key(Role.AUDITOR, tenant="acme")
        found = await records(site, key=auditor)
        assert [(each["tenant"], each["target"]) for each in found] == [("acme", "user:acme/eve")]
        assert (await site.call("GET", "/v1/audit?tenant=default", key=auditor)).status_code == 404
        check = (await site.call("GET", "/v1/audit/check", key=auditor)).json()
        assert (check["whole"], check["records"], check["head_seq"]) == (True, 0, 0)
        developer = await site.make_key(Role.DEVELOPER)
        assert (await site.call("GET", "/v1/audit", key=developer)).status_code == 403

    play(scenario)


def test_a_key_that_comes_from_a_new_address_is_on_record(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        await site.call("GET", "/v1/whoami", key=made["key"])
        site.services.keyring.uses.note(made["id"], "10.9.8.7", now_ms=made["created_ms"])
        await site.call("GET", "/v1/whoami", key=made["key"])
        (found,) = await records(site, "?verb=keys.used")
        assert (found["target"], found["address"]) == (f"apikey:{made['id']}", "10.9.8.7")

    play(scenario)


def notes(count: int, *, at_ms: int = 0) -> list[AuditNote]:
    return [
        AuditNote(at_ms=at_ms + n, verb="jobs.submit", outcome=AuditOutcome.DONE, actor="ada")
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE audit SET actor = 'bob' WHERE seq = 2", "record 2 is not what was written"),
        ("UPDATE audit SET body = replace(body, '1', '2')", "record 1 is not what was written"),
        ("DELETE FROM audit WHERE seq = 2", "record 2 is missing"),
        ("DELETE FROM audit WHERE seq > 3", "the newest records, from 4 on, are missing"),
        ("DELETE FROM audit", "the newest records, from 1 on, are missing"),
    ],
)
def test_a_change_in_the_database_is_found(tmp_path: Path, change: str, problem: str) -> None:
    path = tmp_path / "gigawatt.db"
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    epoch = store.lead(holder="test", now_ms=0, lease_ms=1)
    store.commit(Batch(audits=notes(3)), epoch=epoch, now_ms=1)
    store.commit(Batch(audits=notes(2)), epoch=epoch, now_ms=1)
    assert (store.check_audit().records, store.check_audit().problem) == (5, "")
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    assert store.check_audit().problem == problem
    store.close()


def test_the_record_is_whole_also_after_its_old_end_was_pruned(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'gigawatt.db'}")
    store.migrate()
    store.keep_audit(1_000)
    epoch = store.lead(holder="test", now_ms=0, lease_ms=1)
    store.commit(Batch(audits=notes(4)), epoch=epoch, now_ms=0)
    store.commit(Batch(audits=notes(1, at_ms=800_000)), epoch=epoch, now_ms=800_000)
    check = store.check_audit()
    assert (check.problem, check.records, check.first_seq, check.head_seq) == ("", 1, 5, 5)
    store.close()
