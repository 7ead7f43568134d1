from array import array
from dataclasses import replace

from gigawatt.gateway.config import Config, KeyConfig
from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.quotas import Grant, Quotas
from gigawatt.gateway.shared import ROWS_MAX, WORDS, Rows, Shares, Table, own_table
from gigawatt.gateway.usage import Usage
from gigawatt.model.tokens import Allowance

PROJECT = "acme/default"
NOW_S = 600.25


def key(**amounts: int) -> KeyConfig:
    return KeyConfig(
        sha256="",
        tenant="acme",
        project="",
        id="key-1",
        role="developer",
        expires_ms=0,
        allowance=Allowance(**amounts),
    )


def config(holder: KeyConfig, **project: int) -> Config:
    projects = {PROJECT: Allowance(**project)} if project else {}
    return Config(
        revision=1, instance="", keys={"": holder}, endpoints=(), served={}, projects=projects
    )


def quotas(known: Config, table: Table | None = None) -> Quotas:
    shares = Shares(table or own_table(rows=8))
    shares.rows = {"key-1": 0, PROJECT: 1}
    made = Quotas(shares)
    made.apply(known)
    return made


def admitted(
    under: Quotas, holder: KeyConfig, *, now_s: float = NOW_S, max_tokens: int = 0, size: int = 0
) -> Grant | ErrorReply | None:
    return under.admit(holder, PROJECT, {"max_tokens": max_tokens}, size, now_s)


def test_who_has_no_limits_is_not_counted() -> None:
    assert admitted(quotas(config(key())), key()) is None


def test_requests_a_second_are_refused_beyond_the_limit_and_again_let_in_after_the_wait() -> None:
    holder = key(requests_per_s=3)
    under = quotas(config(holder))
    assert all(isinstance(admitted(under, holder), Grant) for _ in range(3))
    refused = admitted(under, holder)
    assert isinstance(refused, ErrorReply)
    assert (refused.status, refused.code, refused.retry_after_s) == (429, "rate_limit_exceeded", 2)
    assert isinstance(admitted(under, holder, now_s=NOW_S + 2), Grant)


def test_a_project_is_held_to_its_own_limit_whatever_its_keys_may_have() -> None:
    holder = key(requests_per_s=100)
    under = quotas(config(holder, requests_per_s=1))
    assert isinstance(admitted(under, holder), Grant)
    refused = admitted(under, holder)
    assert isinstance(refused, ErrorReply)
    assert PROJECT in refused.message


def test_what_was_refused_takes_nothing() -> None:
    holder = key(concurrent=5)
    under = quotas(config(holder, requests_per_s=1))
    grants = [admitted(under, holder) for _ in range(9)]
    assert sum(isinstance(grant, Grant) for grant in grants) == 1
    for grant in grants:
        if isinstance(grant, Grant):
            grant.settle(None, now_s=NOW_S)
    later = [admitted(under, holder, now_s=NOW_S + 10 * n) for n in range(1, 6)]
    assert all(isinstance(grant, Grant) for grant in later)


def test_tokens_are_taken_by_a_guess_and_settled_by_what_they_were() -> None:
    holder = key(tokens_per_min=100)
    under = quotas(config(holder))
    first = admitted(under, holder, max_tokens=60, size=40)  # 70
    assert isinstance(first, Grant)
    assert isinstance(admitted(under, holder, max_tokens=31), ErrorReply)
    first.settle(Usage(prompt_tokens=5, completion_tokens=5), now_s=NOW_S + 1)
    assert isinstance(admitted(under, holder, max_tokens=90), Grant)
    assert isinstance(admitted(under, holder, max_tokens=1), ErrorReply)


def test_a_request_that_alone_is_more_than_a_minutes_tokens_is_not_told_to_wait() -> None:
    holder = key(tokens_per_min=100)
    refused = admitted(quotas(config(holder)), holder, max_tokens=101)
    assert isinstance(refused, ErrorReply)
    assert refused.retry_after_s is None


def test_requests_at_once_count_until_they_end() -> None:
    holder = key(concurrent=2)
    under = quotas(config(holder))
    first, second = admitted(under, holder), admitted(under, holder)
    assert isinstance(first, Grant)
    assert isinstance(second, Grant)
    assert isinstance(admitted(under, holder), ErrorReply)
    first.settle(None, now_s=NOW_S)
    assert isinstance(admitted(under, holder), Grant)


def test_a_spent_budget_is_spent() -> None:
    holder = key(tokens_per_month=1_000)
    under = quotas(config(holder))
    under.spend({"key-1": 999})
    assert isinstance(admitted(under, holder), Grant)
    under.spend({"key-1": 1_000})
    refused = admitted(under, holder)
    assert isinstance(refused, ErrorReply)
    assert (refused.status, refused.code) == (429, "insufficient_quota")


def test_workers_hold_to_limits_together() -> None:
    words = array("q", bytes(8 * WORDS * ROWS_MAX * 3))
    holder = key(requests_per_s=10, concurrent=8)
    workers = [quotas(config(holder), Table(words, workers=2, slot=slot)) for slot in (0, 1)]
    grants = [admitted(workers[n % 2], holder) for n in range(20)]
    assert sum(isinstance(grant, Grant) for grant in grants) == 8
    later = [admitted(workers[n % 2], holder, now_s=NOW_S + 5) for n in range(20)]
    assert not any(isinstance(grant, Grant) for grant in later)  # the first eight are still there


def test_limits_that_change_keep_what_is_counted() -> None:
    holder = key(concurrent=1)
    under = quotas(config(holder))
    first = admitted(under, holder)
    under.apply(config(key(concurrent=2)))
    assert isinstance(admitted(under, holder), Grant)
    assert isinstance(admitted(under, holder), ErrorReply)
    under.apply(config(key()))  # the row may become another's, and the first one ends later
    under.apply(config(key(concurrent=1)))
    assert isinstance(first, Grant)
    first.settle(None, now_s=NOW_S)
    assert isinstance(admitted(under, holder), Grant)
    assert isinstance(admitted(under, holder), ErrorReply)


def test_a_row_is_kept_and_a_free_one_rests_before_it_is_given_again() -> None:
    rows = Rows(rest_s=60)
    assert rows.assign(["a", "b"], now_s=0) == {"a": 0, "b": 1}
    assert rows.assign(["b", "c"], now_s=1) == {"b": 1, "c": 2}
    assert rows.assign(["b", "c", "d"], now_s=60) == {"b": 1, "c": 2, "d": 3}
    assert rows.assign(["b", "c", "d", "e"], now_s=61) == {"b": 1, "c": 2, "d": 3, "e": 0}


def test_a_spent_budget_of_the_project_or_the_tenant_is_an_insufficient_quota() -> None:
    for spent, status in ((PROJECT, 429), ("acme", 429), ("zeta", None), ("acme/other", None)):
        known = replace(config(key()), spent=frozenset({spent}))
        refused = admitted(quotas(known), key())
        told = (refused.status, refused.code) if isinstance(refused, ErrorReply) else (None, "")
        assert told == (status, "insufficient_quota" if status else ""), spent
