"""Pages of tenants: projects with their limits, people, keys, invoices and the audit record."""

from collections.abc import Iterator

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance
from playwright.sync_api import expect

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.server.jobs import submit, wait_phase

pytestmark = [pytest.mark.slow, needs_chromium]
HERE = "/tenants/default"


@pytest.fixture(scope="module")
def peopled(instance: Instance) -> Iterator[Api]:
    """The tenant with a project that has a limit, a user, and something done."""
    api = Api(instance)
    for path, body in (
        ("/v1/projects", {"name": "vision"}),
        ("/v1/users", {"name": "ada", "role": "developer"}),
    ):
        status, made = api.call("POST", path, body)
        assert status == 201, made
    wait_phase(api, submit(api, ["true"]), "succeeded", "failed")
    yield api
    api.close()


def test_projects_show_what_they_have_and_may(visitor: Visitor, peopled: Api) -> None:
    page = visitor.page
    visitor.go("/tenants")
    page.wait_for_url(f"**/console{HERE}")
    expect(page.get_by_role("region", name="Projects")).to_be_visible()
    visitor.check("tenant-projects")
    page.get_by_role("link", name="vision").click()
    expect(page.get_by_role("region", name="Limits").get_by_text("replicas").first).to_be_visible()
    visitor.check("tenant-project")


def test_a_user_is_disabled_and_let_in_again(visitor: Visitor, peopled: Api) -> None:
    page = visitor.page
    visitor.go(f"{HERE}?tab=people")
    row = page.get_by_role("row").filter(has_text="ada")
    visitor.check("tenant-people")
    row.get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    expect(page.get_by_role("status")).to_have_text("ada is disabled")
    row.get_by_role("button", name="Enable").click()
    expect(page.get_by_role("status")).to_have_text("ada may sign in again")


def test_a_key_is_made_shown_once_and_revoked(visitor: Visitor, peopled: Api) -> None:
    page = visitor.page
    visitor.go(f"{HERE}?tab=keys")
    page.get_by_label("Name of a new key").fill("of-a-page")
    page.get_by_role("button", name="Make key").click()
    secret = page.locator(".command code").inner_text()
    assert secret.startswith("gw_")
    visitor.check("tenant-key")
    page.get_by_role("link", name="Back to the keys").click()
    assert secret not in page.content()
    row = page.get_by_role("row").filter(has_text="of-a-page")
    visitor.check("tenant-keys")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    expect(page.get_by_role("status")).to_have_text("of-a-page is revoked")
    expect(row.get_by_text("revoked")).to_be_visible()


def test_invoices_and_the_audit_record_are_read(visitor: Visitor, peopled: Api) -> None:
    page = visitor.page
    visitor.go(f"{HERE}?tab=invoices")
    visitor.check("tenant-invoices")
    visitor.go(f"{HERE}?tab=audit")
    expect(page.get_by_role("region", name="Audit record")).to_contain_text("users.create")
    visitor.check("tenant-audit")
    page.get_by_label("What").fill("projects.")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**verb=projects.**")
    expect(page.get_by_role("region", name="Audit record")).to_contain_text("projects.create")
    assert "users.create" not in page.get_by_role("region", name="Audit record").inner_text()
