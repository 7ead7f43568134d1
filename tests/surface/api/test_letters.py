"""Messages over real TLS and by a real mail server; and those that were given up, sent again."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.notification import Delivery
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import Role
from gigawatt.service.mail import MailRules, MailServer, MailTls
from gigawatt.service.networks import parse_networks
from gigawatt.service.trust import trusting
from gigawatt.service.webhooks import Webhooks
from gigawatt.store.base import Query
from tests.certificates import an_authority
from tests.mail_server import Mailbox, Spoken, a_mail_server
from tests.surface.api.conftest import Play
from tests.surface.api.receiver import a_receiver
from tests.surface.api.site import LOOPBACK, Site
from tests.waiting import until

pytestmark = pytest.mark.slow

PASSWORD = "correct-horse"


async def created(site: Site, **fields: Any) -> dict[str, Any]:
    body = {"name": "ops", "on": ["job.cancelled"], **fields}
    response = await site.call("POST", "/v1/notifications", body)
    assert response.status_code == 201, response.text
    return response.json()


async def ended(site: Site, **fields: Any) -> dict[str, Any]:
    """A job that was cancelled."""
    job = await site.submit(**fields)
    await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
    return await site.phase(job, "cancelled")


async def settled(site: Site, phase: str, count: int = 1) -> list[dict[str, Any]]:
    """Its messages in this phase, once there are as many."""
    query = Query(phases=(phase,), limit=count)
    await asyncio.to_thread(until, lambda: len(site.store.page(Delivery, query).items) >= count)
    return (await site.view(f"/v1/notifications/ops/deliveries?phase={phase}"))["items"]


async def tried(site: Site) -> dict[str, Any]:
    return (await site.call("POST", "/v1/notifications/ops/test")).json()


def test_a_receiver_is_believed_by_the_authority_that_the_operator_names(
    play: Play, tmp_path: Path
) -> None:
    authority = an_authority(tmp_path)

    async def scenario(site: Site) -> None:
        site.services.webhooks = Webhooks(parse_networks(LOOPBACK), ca_file=authority.ca_file)
        with a_receiver(authority.server()) as receiver:
            assert receiver.url.startswith("https://")
            await created(site, webhook=receiver.url)
            job = await ended(site)
            (message,) = await receiver.wait(1)
            assert message.json["events"][0]["subject"] == job["id"]
            await settled(site, "delivered")

    play(scenario)


@pytest.mark.parametrize(
    ("known", "name", "reason"),
    [
        (False, "127.0.0.1", "its certificate is not trusted: unable to get local issuer"),
        (True, "other.example.com", "its certificate is not trusted: IP address mismatch"),
    ],
)
def test_a_certificate_that_is_not_trusted_ends_in_a_dead_letter_that_can_be_sent_again(
    play: Play, tmp_path: Path, *, known: bool, name: str, reason: str
) -> None:
    authority = an_authority(tmp_path)
    ca_file = authority.ca_file if known else ""

    async def scenario(site: Site) -> None:
        site.services.webhooks = Webhooks(parse_networks(LOOPBACK), ca_file=ca_file)
        with a_receiver(authority.server(name)) as receiver:
            await created(site, webhook=receiver.url)
            await ended(site)
            (dead,) = await settled(site, "dead")
            assert dead["error"].startswith(reason)
            assert (dead["tries"], dead["status"], receiver.got) == (1, 0, [])
            events = (await site.view("/v1/events?kind=notification.dead"))["items"]
            assert events[0]["message"] == f"ops: {dead['error']}"

    play(scenario)


def test_dead_messages_are_sent_again_with_the_ids_and_bodies_that_they_had(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            receiver.statuses = [410, 410, 410]
            await created(site, webhook=receiver.url)
            for count in (1, 2, 3):
                await ended(site)
                await settled(site, "dead", count)
            first, second, third = await receiver.wait(3)
            path = "/v1/notifications/ops/redeliver"
            chosen = [second.json["id"]]
            done = await site.call("POST", path, {"messages": chosen})
            assert (done.status_code, done.json()) == (200, {"messages": chosen})
            assert (await receiver.wait(4))[-1].body == second.body
            await settled(site, "delivered", 1)
            rest = (await site.call("POST", path, {})).json()
            assert rest == {"messages": [first.json["id"], third.json["id"]]}
            found = await settled(site, "delivered", 3)
            assert [(each["tries"], each["again_ms"] > 0) for each in found] == [(1, True)] * 3
            assert [each.body for each in receiver.got[4:]] == [first.body, third.body]
            assert (await site.call("POST", path, {})).json() == {"messages": []}
            said = (await site.view("/v1/events?kind=notification.redelivered"))["items"]
            assert [each["message"] for each in said] == [
                "ops: 1 by operator",
                "ops: 2 by operator",
            ]

    play(scenario)


def test_only_dead_messages_are_sent_again_and_only_by_who_may(play: Play) -> None:
    async def scenario(site: Site) -> None:
        with a_receiver() as receiver:
            await created(site, webhook=receiver.url)
            await ended(site)
            (message,) = await settled(site, "delivered")
            path, body = "/v1/notifications/ops/redeliver", {"messages": [message["id"]]}
            refused = await site.call("POST", path, body)
            assert (refused.status_code, refused.json()["field"]) == (404, "messages")
            assert refused.json()["detail"] == f"{message['id']} is no dead message of ops"
            viewer = await site.make_key(Role.VIEWER)
            assert (await site.call("POST", path, body, key=viewer)).status_code == 403

    play(scenario)


@pytest.mark.parametrize("tls", [MailTls.STARTTLS, MailTls.TLS])
def test_mail_goes_signed_in_and_encrypted(
    play: Play, tmp_path: Path, tls: MailTls, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    authority = an_authority(tmp_path)
    spoken = Spoken(
        tls=authority.server(),
        from_the_first=tls is MailTls.TLS,
        user="gigawatt",
        password=PASSWORD,
    )

    async def scenario(site: Site) -> None:
        with a_mail_server(spoken) as box:
            site.services.mail = mailer(box, tmp_path, tls=tls, ca_file=authority.ca_file)
            view = await created(site, email=["ops@example.com", "ada@example.com"])
            assert (view["webhook"], view["format"]) == ("", "mail")
            job = await ended(site, name="train")
            (mail,) = await box.wait(1)
            assert (box.encrypted, box.signed_in) == ([True], [True])
            assert mail["From"] == "Gigawatt <gw@example.com>"
            assert mail["To"] == "ops@example.com, ada@example.com"
            assert (
                mail["Subject"] == f"gigawatt: job.cancelled train ({job['id']}) [default/default]"
            )
            assert f"job.cancelled  train ({job['id']}): cancelled" in mail.get_content()
            (delivery,) = await settled(site, "delivered")
            assert mail["Message-ID"] == f"<{delivery['id']}@example.com>"
            assert (await tried(site))["delivered"]
            everything = (await site.call("GET", "/v1/events")).text + caplog.text + str(delivery)
            assert PASSWORD not in everything

    play(scenario)


def mailer(box: Mailbox, place: Path, **rules: Any) -> MailServer:
    password = place / "password"
    password.touch(mode=0o600)
    password.write_text(rules.pop("password", PASSWORD) + "\n")
    chosen: dict[str, Any] = {"user": "gigawatt", "password_file": str(password), **rules}
    sender = "Gigawatt <gw@example.com>"
    return MailServer(MailRules(host="127.0.0.1", port=box.port, sender=sender, **chosen))


def test_what_a_mail_server_turns_down_for_good_is_dead_and_the_rest_is_tried_again(
    play: Play, tmp_path: Path
) -> None:
    async def scenario(site: Site) -> None:
        with a_mail_server(Spoken()) as box:
            site.services.mail = mailer(box, tmp_path, tls=MailTls.NONE, user="")
            box.answers = ["554 no thanks"]
            await created(site, email=["ops@example.com"])
            await ended(site)
            (dead,) = await settled(site, "dead")
            assert dead["error"] == "the mail server answered 554 no thanks"
            box.unknown = ("ops@example.com",)
            await site.call("POST", "/v1/notifications/ops/redeliver", {})
            (dead,) = await until_error(site, "refused")
            assert dead["error"] == "refused for ops@example.com (550 nobody of that name)"
            box.unknown, box.answers = (), ["451 later"]
            await site.call("POST", "/v1/notifications/ops/redeliver", {})
            (delivery,) = await settled(site, "delivered")
            assert (delivery["tries"], len(box.got)) == (2, 1)

    play(scenario)


async def until_error(site: Site, beginning: str) -> list[dict[str, Any]]:
    query = Query(phases=("dead",), limit=1)

    def dead() -> bool:
        return any(
            each.error.startswith(beginning) for each in site.store.page(Delivery, query).items
        )

    await asyncio.to_thread(until, dead)
    return await settled(site, "dead")


def test_a_mail_server_that_is_not_what_it_should_be_is_told_without_the_password(
    play: Play, tmp_path: Path
) -> None:
    authority = an_authority(tmp_path)
    spoken = Spoken(tls=authority.server(), user="gigawatt", password=PASSWORD)
    open_file = tmp_path / "open"
    open_file.write_text(PASSWORD)
    open_file.chmod(0o644)

    async def scenario(site: Site) -> None:
        with a_mail_server(spoken) as box:
            told: list[str] = []
            for rules in (
                {},  # nothing of the authority
                {"ca_file": authority.ca_file, "password": "wrong-horse"},
                {"ca_file": authority.ca_file, "password_file": str(open_file)},
                {"ca_file": authority.ca_file, "password_file": str(tmp_path / "none")},
                {"tls": MailTls.TLS, "ca_file": authority.ca_file},
            ):
                site.services.mail = mailer(box, tmp_path, **rules)
                if not told:
                    await created(site, email=["ops@example.com"])
                trial = await tried(site)
                assert trial["delivered"] is False
                told.append(trial["error"])
            assert "its certificate is not trusted: unable to get local issuer" in told[0]
            assert told[1] == "the mail server refused the sign-in (535)"
            assert told[2].endswith("with the mail server's password can be read by others")
            assert told[3].endswith("cannot be read (FileNotFoundError)")
            assert told[4].startswith("not reached: ")
            assert "horse" not in str(told)
            assert box.got == []

    play(scenario)


@pytest.mark.parametrize(
    ("given", "status", "field", "detail"),
    [
        ({}, 422, "webhook", "give a webhook or addresses for mail, one of the two"),
        ({"webhook": "https://x/", "email": ["a@b.c"]}, 422, "webhook", "one of the two"),
        ({"email": ["ops"]}, 422, "email.0", "is no address for mail: 'ops'"),
        ({"email": ["a@b.c\nBcc: d@e.f"]}, 422, "email.0", "is no address for mail"),
        ({"email": ["a@elsewhere.org"]}, 403, "email", "mail may not go to elsewhere.org"),
        (
            {"email": ["a@example.com"], "on": ["budget.spnt"]},
            422,
            "on.0",
            "is no kind of event: 'budget.spnt'",
        ),
    ],
)
def test_what_is_asked_wrong_of_mail_is_refused(
    play: Play, given: dict[str, Any], status: int, field: str, detail: str
) -> None:
    async def scenario(site: Site) -> None:
        rules = MailRules(
            host="127.0.0.1", port=1, sender="gw@example.com", domains=("example.com",)
        )
        site.services.mail = MailServer(rules)
        body = {"name": "ops", "on": ["job.failed"], **given}
        refused = await site.call("POST", "/v1/notifications", body)
        assert refused.status_code == status, refused.text
        assert refused.json()["field"] == field
        assert detail in refused.json()["detail"]

    play(scenario)


def test_without_a_mail_server_mail_is_refused_with_who_can_change_that(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"name": "ops", "on": ["job.failed"], "email": ["a@example.com"]}
        problem = (await site.call("POST", "/v1/notifications", body)).json()
        assert problem["detail"] == "this instance has no mail server"
        assert "GIGAWATT_MAIL_HOST" in problem["hint"]

    play(scenario)


def test_what_may_be_wrong_with_mail_is_said_at_the_start() -> None:
    open_sign_in = MailRules(host="h", port=25, sender="a@b.c", tls=MailTls.NONE, user="u")
    with pytest.raises(RefusalError, match="would send its password in the open"):
        MailServer(open_sign_in)
    with pytest.raises(RefusalError, match="mail_from is not"):
        MailServer(MailRules(host="h", port=25, sender=""))
    with pytest.raises(RefusalError, match="holds no certificates that can be read"):
        trusting(__file__)
