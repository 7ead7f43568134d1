"""The twin's page: scenarios played and compared, what is wrong with one said by line and field, recorded cycles."""

import pytest
from benchmarks.http import Api
from playwright.sync_api import expect

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.console.work import Work
from tests.waiting import until

pytestmark = [pytest.mark.slow, needs_chromium]

PATIENCE_S = 60.0
SMALL = """policy = "fifo"
seed = 1
[[nodes]]
nodes = 2
cores = 8
gpus = 2
[workload]
jobs = 12
gap = "1m"
run_median = "5m"
run_p90 = "20m"
[[workload.sizes]]
gpus = 2
cpus = 2
"""


def test_two_policies_are_played_side_by_side(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/twin?example=serving")
    assert "[[serving]]" in page.get_by_label("Scenario, as TOML").input_value()
    visitor.check("twin")
    page.get_by_label("Scenario, as TOML").fill(SMALL)
    page.locator("select[name=policy]").select_option("fifo")
    page.locator("select[name=other]").select_option("easy")
    page.get_by_role("button", name="Play").click()
    page.wait_for_url("**/twin/runs/**")
    figures = page.get_by_role("region", name="Figures")
    expect(figures.get_by_role("columnheader")).to_have_text(["Figure", "fifo", "easy"])
    expect(figures.get_by_role("row").filter(has_text="Jobs completed")).to_contain_text("12")
    expect(page.locator("svg.area")).to_have_count(2)
    visitor.check("twin-runs")
    page.get_by_role("link", name="Change and play again").click()
    expect(page.get_by_label("Scenario, as TOML")).to_have_value(SMALL)


def test_what_is_wrong_with_a_scenario_is_said_with_line_and_field_and_the_text_is_kept(
    visitor: Visitor,
) -> None:
    page = visitor.page
    visitor.expected.append("status of 422")
    for wrong, said in (
        (SMALL.replace("jobs = 12", 'jobs = "many"'), "scenario, line 8"),
        (SMALL.replace("gap =", "gpa ="), "line 9"),
        (SMALL + "\n[broken", "scenario"),
        (SMALL.replace("jobs = 12", 'trace = "/etc/hostname"'), "names a file"),
        (SMALL.replace('"fifo"', '"fastest"'), "fastest"),
    ):
        visitor.go("/twin")
        page.get_by_label("Scenario, as TOML").fill(wrong)
        page.get_by_role("button", name="Play").click()
        expect(page.get_by_role("alert")).to_contain_text(said)
        expect(page.get_by_label("Scenario, as TOML")).to_have_value(wrong)
    visitor.check("twin-wrong")


def test_a_recorded_cycle_is_decided_again(visitor: Visitor, api: Api, work: Work) -> None:
    page = visitor.page

    def recorded() -> bool:
        visitor.go("/twin")
        return page.locator(".cycles a").count() > 0

    until(recorded, timeout_s=PATIENCE_S, what="a cycle is recorded")
    page.locator(".cycles a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Cycle of")
    expect(page.get_by_text("Gangs in line")).to_be_visible()
    visitor.check("twin-cycle")


def test_it_is_for_operators(visitor: Visitor, api: Api) -> None:
    status, made = api.call("POST", "/v1/keys", {"name": "looks", "role": "viewer"})
    assert status == 201, made
    key = made["key"]
    page = visitor.page
    page.context.clear_cookies()
    visitor.go("/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/")
    visitor.expected.append("status of 403")
    visitor.go("/twin")
    expect(page.get_by_text("may not do twin.cycles")).to_be_visible()
