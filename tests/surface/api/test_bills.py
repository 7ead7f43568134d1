"""Prices, months that are closed, late corrections, showback: through the API, by real clocks and the real ledger."""

import csv
import io
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gigawatt import clock
from gigawatt.ledger.calendar import day_of, month_of, month_start_ms
from gigawatt.model.ledger import DAY_MS
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import Role
from gigawatt.service.closing import close_due
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

NOW = month_of(clock.now_ms())
LAST = month_of(month_start_ms(NOW) - 1)
BEFORE = month_of(month_start_ms(LAST) - 1)
BOOK = {
    "currency": "USD",
    "from": f"{BEFORE}-01",
    "cpu": {"on_demand": "3600"},  # a dollar for a second of a core
    "tokens": {"*": {"prompt": "1", "cached": "0.5", "completion": "2"}},
    "storage": {"volume": "0.08"},
}


async def priced(site: Site, **changes: Any) -> dict[str, Any]:
    made = await site.call("POST", "/v1/prices", {**BOOK, **changes})
    assert made.status_code == 201, made.text
    return made.json()


async def counted(site: Site, number: int, millions: int, *, tenant: str = "default") -> None:
    """So many million prompt tokens in the first hour of the last month, as one spool's report `number` has it."""
    row = {
        "row": 1,
        "hour_ms": month_start_ms(LAST),
        "tenant": tenant,
        "project": "default",
        "key": "key-1",
        "model": "m",
        "endpoint": "e-1",
        "requests": 1,
        "prompt_tokens": millions * 1_000_000,
        "cached_tokens": 0,
        "completion_tokens": 0,
    }
    body = {"spool": f"spool-{tenant}", "report": number, "rows": [row]}
    told = await site.call("POST", "/v1/gateway/usage", body)
    assert told.status_code == 204, told.text


async def closed(site: Site, month: str) -> dict[str, Any]:
    made = await site.call("POST", "/v1/closings", {"month": month})
    assert made.status_code == 201, made.text
    return made.json()


def lines(invoice: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["month"], each["kind"], each["amount"]) for each in invoice["lines"]]


def test_a_closed_month_stays_as_it_is_and_what_comes_late_is_on_the_next_invoice(
    play: Play,
) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        await counted(site, 1, 3)
        draft = await site.view(f"/v1/invoices/{LAST}")
        assert (draft["status"], draft["total"]) == ("draft", "3.00")
        assert (await closed(site, LAST))["total"] == "3.00"
        kept = await site.view(f"/v1/invoices/{LAST}")
        assert (kept["status"], kept["total"]) == ("closed", "3.00")
        text = (await site.call("GET", f"/v1/invoices/{LAST}/document")).content
        await counted(site, 2, 5)
        assert await site.view(f"/v1/invoices/{LAST}") == kept
        assert (await site.call("GET", f"/v1/invoices/{LAST}/document")).content == text
        told = await site.view(f"/v1/closings/{LAST}/verification")
        assert (told["ok"], told["invoices"]) == (True, 1)
        late = await site.view("/v1/invoices/now")
        assert (LAST, "usage", "2.00") in lines(late)
        assert (await closed(site, LAST))["number"] == 1  # asked again, nothing happens

    play(story)


def test_months_are_closed_in_order_when_they_are_over_and_priced(play: Play) -> None:
    async def story(site: Site) -> None:
        await counted(site, 1, 3)
        refused = await site.call("POST", "/v1/closings", {"month": LAST})
        assert refused.status_code == 409
        assert "without a price" in refused.json()["detail"]
        await priced(site)
        early = await site.call("POST", "/v1/closings", {"month": NOW})
        assert (early.status_code, early.json()["field"]) == (409, "month")
        assert (await closed(site, BEFORE))["invoices"] == 0
        await closed(site, LAST)
        back = await site.call("POST", "/v1/closings", {"month": "2001-01"})
        assert back.status_code == 409
        past = {"tenant": "default", "from": f"{LAST}-01", "discount": 50}
        agreed = await site.call("POST", "/v1/agreements", past)
        assert (agreed.status_code, agreed.json()["field"]) == (409, "from")

    play(story)


def test_prices_in_force_do_not_change_and_the_currency_never_does(play: Play) -> None:
    async def story(site: Site) -> None:
        assert (await priced(site))["number"] == 1
        again = await site.call("POST", "/v1/prices", BOOK)
        assert (again.status_code, again.json()["field"]) == (422, "from")
        euro = await site.call("POST", "/v1/prices", {**BOOK, "from": 0, "currency": "EUR"})
        assert (euro.status_code, euro.json()["field"]) == (422, "currency")
        noon = {**BOOK, "from": (clock.now_ms() // DAY_MS + 2) * DAY_MS + 1}
        assert (await site.call("POST", "/v1/prices", noon)).json()["field"] == "from"
        follows = {name: each for name, each in BOOK.items() if name != "from"}
        made = await site.call("POST", "/v1/prices", follows)
        tomorrow_ms = (clock.now_ms() // DAY_MS + 1) * DAY_MS
        assert (made.json()["number"], made.json()["from_ms"] >= tomorrow_ms - DAY_MS) == (2, True)
        for wrong in (1.5, "1e3", "-1", "1.123456789012", True):
            bad = await site.call("POST", "/v1/prices", {**BOOK, "storage": {"volume": wrong}})
            assert (bad.status_code, bad.json()["field"]) == (422, "storage.volume"), wrong

    play(story)


def test_a_book_is_held_against_what_was_used_before_it_is_set(play: Play) -> None:
    async def story(site: Site) -> None:
        job = await site.submit(name="j")
        await site.phase(job, "running")

        async def used() -> bool | None:
            costs = await site.view("/v1/costs?by=sku")
            return True if costs["unpriced"] else None

        await site.until(used)
        body = {"currency": "USD", "tokens": BOOK["tokens"]}
        found = await site.call("POST", "/v1/prices?dry_run=true", body)
        assert found.json()["unpriced"] == [{"meter": "cpu", "sku": "cpu", "plan": "on-demand"}]
        assert (await site.view("/v1/prices"))["items"] == []

    play(story)


def test_costs_are_told_by_who_used_what_and_each_tenant_sees_its_own(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        await counted(site, 1, 3)
        await counted(site, 1, 4, tenant="other")
        span = f"since={day_of(month_start_ms(LAST))}&until={day_of(month_start_ms(LAST) + DAY_MS)}"
        whole = await site.view(f"/v1/costs?by=tenant&by=meter&{span}")
        told = [[each["value"] for each in item["subjects"]] for item in whole["items"]]
        assert told == [["default", "prompt_tokens"], ["other", "prompt_tokens"]]
        assert [(item["tokens"], item["cost"]) for item in whole["items"]] == [
            (3_000_000, "3.000000"),
            (4_000_000, "4.000000"),
        ]
        foreign = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        mine = (await site.call("GET", f"/v1/costs?by=tenant&{span}", key=foreign)).json()
        assert mine["cost"] == "4.000000"
        for path in ("/v1/costs?tenant=default", f"/v1/invoices/{LAST}?tenant=default"):
            assert (await site.call("GET", path, key=foreign)).status_code == 404
        viewer = await site.make_key(Role.VIEWER)
        assert (await site.call("GET", f"/v1/invoices/{LAST}", key=viewer)).status_code == 403
        misspelt = await site.call("GET", "/v1/costs?by=projet")
        assert (misspelt.status_code, misspelt.json()["hint"]) == (422, "did you mean 'project'?")

    play(story)


def test_labels_users_and_names_of_jobs_are_what_costs_are_told_by(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        job = await site.submit(name="train", labels={"team": "nlp"})
        await site.phase(job, "running")

        async def told() -> list[str] | None:
            costs = await site.view("/v1/costs?by=job&by=label:team&by=plan")
            found = [each["value"] for item in costs["items"] for each in item["subjects"]]
            return found or None

        assert await site.until(told) == ["train", "nlp", "on-demand"]

    play(story)


def test_payments_and_adjustments_go_on_the_next_invoice_in_coins(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        await counted(site, 1, 3)
        await closed(site, LAST)
        for amount, prepaid in (("-0.50", False), ("10.00", True)):
            body = {"tenant": "default", "amount": amount, "reason": "so", "prepaid": prepaid}
            assert (await site.call("POST", "/v1/postings", body)).status_code == 201
        draft = await site.view("/v1/invoices/now")
        assert ("", "adjustment", "-0.50") in lines(draft)
        assert Decimal(draft["total"]) == 0
        kept = Decimal(draft["charges"]) + Decimal(draft["credits"])
        assert Decimal(draft["balance"]) == 10 - kept
        tiny = {"tenant": "default", "amount": "0.001", "reason": "so"}
        refused = await site.call("POST", "/v1/postings", tiny)
        assert (refused.status_code, refused.json()["field"]) == (422, "amount")
        nobody = {"tenant": "nobody", "amount": "1", "reason": "so"}
        assert (await site.call("POST", "/v1/postings", nobody)).status_code == 404

    play(story)


def test_an_invoice_is_there_as_csv_and_focus_that_sum_to_it(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        await counted(site, 1, 3)
        await closed(site, LAST)
        for form, column in (("csv", "amount"), ("focus", "BilledCost")):
            found = await site.call("GET", f"/v1/invoices/{LAST}/document?format={form}")
            rows = list(csv.DictReader(io.StringIO(found.text)))
            assert sum(Decimal(row[column]) for row in rows) == Decimal("3.00")
        parquet = await site.call("GET", f"/v1/invoices/{LAST}/document?format=parquet")
        pq = pytest.importorskip("pyarrow.parquet")
        (row,) = pq.read_table(io.BytesIO(parquet.content)).to_pylist()
        assert (row["BilledCost"], row["InvoiceId"]) == (Decimal(3), f"{LAST}/default")

    play(story)


def test_device_time_of_the_month_is_somebodys_to_the_last_unit(play: Play) -> None:
    async def story(site: Site) -> None:
        job = await site.submit(name="j")
        await site.phase(job, "running")
        found = await site.view("/v1/statements/now?unit=cpu")
        parts = [found[name] for name in ("charged", "not_charged", "idle", "ours")]
        ledger = await site.view("/v1/ledger?unit=milli_core_ms")
        assert 0 < sum(parts) == found["installed"] <= ledger["installed"]

    play(story)


def test_what_is_counted_again_while_it_is_taken_in_is_told_again(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        for number, millions in ((1, 1), (1, 1), (2, 4), (2, 4)):
            await counted(site, number, millions)
        draft = await site.view(f"/v1/invoices/{LAST}")
        assert draft["total"] == "4.00"

    play(story)


def test_an_invoice_is_a_page_that_needs_nothing_and_believes_no_name(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        await counted(site, 1, 3)
        reason = '<script>alert("x")</script> & more'
        made = await site.call(
            "POST", "/v1/postings", {"tenant": "default", "amount": "-1", "reason": reason}
        )
        assert made.status_code == 201
        found = await site.call("GET", f"/v1/invoices/{LAST}/document?format=html")
        assert found.headers["content-disposition"].endswith('.html"')
        page = ET.fromstring(found.text.partition("\n")[2])
        assert {each.tag for each in page.iter()} & {"script", "link", "img", "iframe"} == set()
        cells = ["".join(each.itertext()) for each in page.iter("td")]
        assert reason in cells
        assert cells[cells.index(reason) + 3] == "-1"
        assert "2.00 USD" in cells
        again = await site.call("GET", f"/v1/invoices/{LAST}/document?format=html")
        assert again.content == found.content

    play(story)


def test_months_close_by_themselves_some_days_after_their_end_each_once(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site)
        await counted(site, 1, 3)
        end_ms = month_start_ms(NOW)
        early = end_ms + 3 * DAY_MS - 1
        made = await close_due(site.services, days=3, at_ms=early)
        assert made is not None
        assert (made.month, await close_due(site.services, days=3, at_ms=early)) == (BEFORE, None)
        made = await close_due(site.services, days=3, at_ms=end_ms + 3 * DAY_MS)
        assert made is not None
        assert (made.month, made.total) == (LAST, "3.00")
        assert await close_due(site.services, days=3, at_ms=end_ms + 4 * DAY_MS) is None
        assert (await site.view(f"/v1/invoices/{LAST}"))["status"] == "closed"
        kept = (await site.view("/v1/audit?verb=invoices.close"))["items"]
        assert {each["actor"] for each in kept} == {"month-close"}

    play(story)


def test_a_month_with_use_that_has_no_price_is_not_closed_by_itself(play: Play) -> None:
    async def story(site: Site) -> None:
        await priced(site, tokens={})
        await counted(site, 1, 3)
        with pytest.raises(RefusalError, match="without a price"):
            await close_due(site.services, days=1, at_ms=month_start_ms(NOW) + DAY_MS)
        assert (await site.view(f"/v1/invoices/{LAST}"))["status"] == "draft"

    play(story)
