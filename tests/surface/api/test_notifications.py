"""Notifications: what happens is told to a real receiver, once it is committed, signed, until it has arrived."""

import asyncio
import base64
import hashlib
import hmac
from typing import Any

import pytest

from gigawatt.model.notification import Delivery
from gigawatt.model.tenant import Role
from gigawatt.service.messages import EVENTS_MAX
from gigawatt.store.base import Query
from tests.surface.api.conftest import Play
from tests.surface.api.receiver import Received, Receiver, a_receiver
from tests.surface.api.site import Site
from tests.waiting import until

pytestmark = pytest.mark.slow

ENDS = ["job.succeeded", "job.failed", "job.cancelled"]


async def created(site: Site, receiver: Receiver, **fields: Any) -> dict[str, Any]:
    body = {"name": "ops", "on": ENDS, "webhook": receiver.url, **fields}
    response = await site.call("POST", "/v1/notifications", body)
    assert response.status_code == 201, response.text
    return response.json()


async def ended(site: Site, **fields: Any) -> dict[str, Any]:
    """A job that was cancelled."""
    job = await site.submit(**fields)
    await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
    return await site.phase(job, "cancelled")


async def deliveries(site: Site, phase: str = "") -> list[dict[str, Any]]:
    query = f"?phase={phase}" if phase else ""
    return (await site.view(f"/v1/notifications/ops/deliveries{query}"))["items"]


async def settled(site: Site, phase: str, count: int = 1) -> list[dict[str, Any]]:
    """Its messages in this phase, once there are as many."""
    query = Query(phases=(phase,), limit=count)
    await asyncio.to_thread(until, lambda: len(site.store.page(Delivery, query).items) >= count)
    return await deliveries(site, phase)


def test_what_happens_is_told_with_the_job_it_is_about(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            view = await created(site, receiver)
            assert view["webhook"].endswith("/…")
            assert "s3cret" not in str(view)
            job = await ended(site, name="train", labels={"team": "nlp"})
            (message,) = await receiver.wait(1)
            told = message.json
            assert told["type"] == "gigawatt.events"
            assert (told["notification"], told["project"], told["more"]) == ("ops", "default", 0)
            assert told["id"] == message.headers["webhook-id"]
            (event,) = told["events"]
            assert (event["kind"], event["subject"]) == ("job.cancelled", job["id"])
            assert event["job"] == {"id": job["id"], "name": "train", "labels": {"team": "nlp"}}
            (delivery,) = await settled(site, "delivered")
            assert (delivery["id"], delivery["tries"], delivery["status"]) == (told["id"], 1, 204)
            assert delivery["body"] == ""

    play(scenario)


def test_kinds_labels_and_names_choose_what_is_told(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await created(site, receiver, labels=["team=nlp", "!test"], jobs="train-*")
            await ended(site, name="eval-1", labels={"team": "nlp"})
            await ended(site, name="train-1", labels={"team": "nlp", "test": "yes"})
            await ended(site, name="train-2", labels={"team": "cv"})
            wanted = await ended(site, name="train-3", labels={"team": "nlp"})
            (message,) = await receiver.wait(1)
            assert [each["subject"] for each in message.json["events"]] == [wanted["id"]]

    play(scenario)


def test_nodes_are_everybodys_and_other_projects_jobs_are_not(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await site.call("POST", "/v1/projects", {"name": "other"})
            await created(site, receiver, on=["job.cancelled", "node.cordoned"])
            response = await site.call(
                "POST", "/v1/jobs?project=other", {"command": ["true"], "gang": {"cpus": 0.1}}
            )
            await site.call("POST", f"/v1/jobs/{response.json()['id']}/cancel")
            await site.phase(response.json(), "cancelled")
            await site.call("PUT", "/v1/nodes/node-1/state", {"state": "cordoned"})
            (message,) = await receiver.wait(1)
            assert receiver.kinds() == ["node.cordoned"]
            assert message.json["events"][0]["subject"] == "node-1"

    play(scenario)


def test_a_message_is_signed_by_each_secret_as_standard_webhooks_has_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            base = receiver.url.rpartition("/")[0]
            raw = base64.b64encode(b"k" * 32).decode()
            for name, value in (("old", "plain-key"), ("new", f"whsec_{raw}")):
                body = {"value": value, "url": base}
                await site.call("PUT", f"/v1/secrets/{name}", body)
            await created(site, receiver, secrets=["old", "new"])
            await ended(site)
            (message,) = await receiver.wait(1)
            assert signatures(message) == {mac(message, b"plain-key"), mac(message, b"k" * 32)}
            await site.call("PUT", "/v1/secrets/old", {"value": "rotated", "url": base})
            await ended(site)
            _, message = await receiver.wait(2)
            assert signatures(message) == {mac(message, b"rotated"), mac(message, b"k" * 32)}
            everything = (await site.call("GET", "/v1/events")).text
            everything += str(await deliveries(site))
            assert not [
                word for word in ("plain-key", "rotated", raw, "s3cret") if word in everything
            ]

    play(scenario)


def signatures(message: Received) -> set[str]:
    return set(message.headers["webhook-signature"].split(" "))


def mac(message: Received, key: bytes) -> str:
    text = f"{message.headers['webhook-id']}.{message.headers['webhook-timestamp']}."
    digest = hmac.new(key, text.encode() + message.body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def test_a_secret_signs_for_its_own_address_alone(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await site.call(
                "PUT", "/v1/secrets/pypi", {"value": "token", "url": "https://pypi.example.com"}
            )
            body = {"name": "ops", "on": ENDS, "webhook": receiver.url}
            for secret, status in (("pypi", 403), ("none", 404)):
                response = await site.call(
                    "POST", "/v1/notifications", {**body, "secrets": [secret]}
                )
                assert (response.status_code, response.json()["field"]) == (status, "secrets")

    play(scenario)


def test_what_is_refused_for_good_is_dead_and_the_next_one_follows(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            receiver.statuses = [410]
            await created(site, receiver)
            await ended(site)
            (dead,) = await settled(site, "dead")
            assert (dead["status"], dead["error"], dead["events"]) == (410, "it answered 410", 1)
            assert '"job.cancelled"' in dead["body"]
            events = (await site.view("/v1/events?kind=notification.dead"))["items"]
            assert [each["message"] for each in events] == ["ops: it answered 410"]
            await ended(site)
            await settled(site, "delivered")

    play(scenario)


def test_what_fails_is_tried_again_with_the_same_id_and_body(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            receiver.statuses = [503]
            await created(site, receiver)
            await ended(site)
            first, second = await receiver.wait(2)
            assert first.body == second.body
            assert first.headers["webhook-id"] == second.headers["webhook-id"]
            (delivery,) = await settled(site, "delivered")
            assert delivery["tries"] == 2

    play(scenario)


def test_a_redirect_is_not_followed(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            receiver.statuses = [307]
            await created(site, receiver)
            trial = (await site.call("POST", "/v1/notifications/ops/test")).json()
            assert (trial["delivered"], trial["error"]) == (False, "it answered 307")
            assert len(receiver.got) == 1

    play(scenario)


def test_a_slow_receiver_holds_up_nobody(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as slow, a_receiver() as quick:
            slow.hold.set()
            await created(site, slow, name="slow")
            await created(site, quick)
            for _ in range(3):
                await ended(site)
            await quick.wait(1)
            await settled(site, "delivered")
            assert len(slow.got) == 1
            slow.let_go.set()
            await slow.wait(2)

    play(scenario)


def test_what_is_over_the_rate_goes_together_and_the_rest_is_counted(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            receiver.hold.set()
            await created(site, receiver, per_minute=2)
            await ended(site)
            await receiver.wait(1)
            for _ in range(EVENTS_MAX + 5):
                await ended(site)
            receiver.let_go.set()
            _, second = await receiver.wait(2)
            told = second.json
            assert (len(told["events"]), told["more"]) == (EVENTS_MAX, 5)
            found = await settled(site, "delivered", 2)
            assert sorted(each["events"] for each in found) == [1, EVENTS_MAX + 5]

    play(scenario)


def test_slack_is_told_in_lines_of_text(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await created(site, receiver, format="slack")
            job = await ended(site, name="train")
            (message,) = await receiver.wait(1)
            text = f"*job.cancelled* train ({job['id']}): cancelled"
            assert message.json["text"].startswith(text)
            assert "[default/default]" in message.json["text"]

    play(scenario)


def test_a_webhook_is_tried_out_without_an_event(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await created(site, receiver)
            trial = (await site.call("POST", "/v1/notifications/ops/test")).json()
            assert (trial["delivered"], trial["status"]) == (True, 204)
            assert receiver.kinds() == ["notification.test"]
            assert await deliveries(site) == []

    play(scenario)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:1/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fd00::1]/",
        "http://192.168.1.1:8080/x",
        "http://0.0.0.0/",
        "http://2130706434/",
        "http://224.0.0.1/",
        "http://[64:ff9b::a00:1]/",
    ],
)
def test_what_is_not_public_is_not_connected_to(play: Play, url: str) -> None:
    async def scenario(site: Site) -> None:
        body = {"name": "ops", "on": ENDS, "webhook": url}
        assert (await site.call("POST", "/v1/notifications", body)).status_code == 201
        trial = (await site.call("POST", "/v1/notifications/ops/test")).json()
        assert trial["delivered"] is False
        assert "leads to no address that webhooks may go to" in trial["error"] or (
            "not reached" in trial["error"] and url == "http://2130706434/"
        )

    play(scenario)


def test_what_is_asked_wrong_is_told_with_what_is_meant(play: Play) -> None:
    async def scenario(site: Site) -> None:
        good = {"name": "ops", "on": ["job.failed"], "webhook": "https://example.com/h"}
        for field, value, detail, hint in (
            ("on", ["job.faild"], "is no kind of event: 'job.faild'", "did you mean 'job.failed'?"),
            ("on", ["notification.dead"], "is no kind of event", "gw notifications kinds"),
            ("on", [], "must have at least 1 entries", ""),
            ("webhook", "ftp://x", "must be an http or https URL", "write it like"),
            ("webhook", "https://u:s3cret@x/", "must be an http or https URL", "write it like"),
            ("webhook", "https://[::1::]/", "webhook has no address that can be", ""),
            ("webhook", "https://x:70000/", "must be an http or https URL", "write it like"),
            ("webhook", "https://x/a b", "must be an http or https URL", "write it like"),
            ("labels", ["=x"], "is no filter by label", "write key=value, key, or !key"),
            ("jobs", "Train", "must match", ""),
            ("per_minute", 0, "must be at least 1", ""),
        ):
            response = await site.call("POST", "/v1/notifications", {**good, field: value})
            problem = response.json()
            assert response.status_code == 422, field
            assert problem["field"].startswith(field)
            assert detail in problem["detail"]
            assert hint in problem["hint"]
            assert "s3cret" not in response.text
        assert (await site.call("POST", "/v1/notifications", good)).status_code == 201
        again = await site.call("POST", "/v1/notifications", good)
        assert (again.status_code, again.json()["field"]) == (409, "name")
        missing = await site.call("GET", "/v1/notifications/opps")
        assert (missing.status_code, missing.json()["hint"]) == (404, "did you mean 'ops'?")

    play(scenario)


def test_a_deleted_notification_is_told_nothing_more(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await created(site, receiver)
            await created(site, receiver, name="stays")
            assert (await site.call("DELETE", "/v1/notifications/ops")).status_code == 204
            await ended(site)
            (message,) = await receiver.wait(1)
            assert message.json["notification"] == "stays"
            assert [each["name"] for each in (await site.view("/v1/notifications"))["items"]] == [
                "stays"
            ]

    play(scenario)


def test_viewers_look_and_change_nothing(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await created(site, receiver)
            viewer = await site.make_key(Role.VIEWER)
            body = {"name": "x", "on": ENDS, "webhook": receiver.url}
            for method, path, wanted in (
                ("GET", "/v1/notifications", 200),
                ("GET", "/v1/notifications/ops/deliveries", 200),
                ("POST", "/v1/notifications", 403),
                ("POST", "/v1/notifications/ops/test", 403),
                ("DELETE", "/v1/notifications/ops", 403),
            ):
                sent = body if path == "/v1/notifications" and method == "POST" else None
                response = await site.call(method, path, sent, key=viewer)
                assert response.status_code == wanted, (method, path)

    play(scenario)


def test_a_budget_of_the_tenant_is_told_to_its_projects_and_others_affairs_are_not(
    play: Play,
) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await site.call("POST", "/v1/projects", {"name": "other"})
            await created(site, receiver, on=["budget.spent", "key.created"])
            await site.make_key(Role.VIEWER)  # the whole tenant's, and no budget
            for terms in ({"project": "other"}, {"project": "default"}, {}):
                response = await site.call("PUT", "/v1/budgets", {"amount": "0", **terms})
                assert response.status_code == 200, response.text
                if terms == {"project": "default"}:
                    await receiver.wait(1)
            messages = await receiver.wait(2)
            told = [each["subject"] for message in messages for each in message.json["events"]]
            assert told == ["default/default", "default"]
            assert receiver.kinds() == ["budget.spent", "budget.spent"]

    play(scenario)
