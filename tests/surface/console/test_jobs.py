"""The list of jobs."""

import pytest

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.console.work import Work

pytestmark = [pytest.mark.slow, needs_chromium]


def test_jobs_and_arrays_are_listed_with_what_each_waits_for_or_failed_of(
    visitor: Visitor, work: Work
) -> None:
    visitor.go("/jobs")
    visitor.check("jobs")
    page = visitor.page
    array = page.locator(f"[id='{work.array}']")
    assert "3 of 3 succeeded" in (array.text_content() or "")
    assert page.locator(f"[id='{work.waiting}'] .reason").count() == 1
    assert "no such file" in (page.locator(f"[id='{work.failed}']").text_content() or "")


def test_a_list_is_narrowed_by_phase_label_user_and_text(visitor: Visitor, work: Work) -> None:
    page = visitor.page
    visitor.go("/jobs")
    page.get_by_role("link", name="failed").click()
    page.wait_for_url("**phase=failed")
    assert _ids(visitor) == {work.failed}
    visitor.go("/jobs")
    page.get_by_label("Labels").fill("team=nlp")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**label=team%3Dnlp")
    assert _ids(visitor) == {work.succeeded}
    visitor.go("/jobs?text=SWEE")
    assert _ids(visitor) in ({work.array}, set())  # databases differ in whether case counts
    visitor.go("/jobs?text=wee&user=admin")
    assert _ids(visitor) == {work.array}
    visitor.go("/jobs?user=nobody")
    assert page.get_by_text("No job is like that").count() == 1
    visitor.check("jobs-none")


def test_a_wrong_filter_is_refused_with_a_hint(visitor: Visitor) -> None:
    visitor.expected.append("status of 422")
    visitor.go("/jobs?phase=runing")
    assert "running" in (visitor.page.locator("main").text_content() or "")
    visitor.check("refusal")


def _ids(visitor: Visitor) -> set[str]:
    rows = visitor.page.locator("tbody tr").all()
    return {row.get_attribute("id") or "" for row in rows}
