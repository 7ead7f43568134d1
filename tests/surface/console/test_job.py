"""The page of a job: what it shows of each kind, its logs, and what can be done to it."""

import re

import pytest
from benchmarks.http import Api

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.console.work import FOREVER, PATIENCE_S, Work
from tests.surface.server.jobs import python, submit, wait_phase

pytestmark = [pytest.mark.slow, needs_chromium]

LINES = 1_000_000
MANY = python(
    f"import sys\nfor at in range(0, {LINES}, 10000):\n"
    "    sys.stdout.write(''.join(f'step {n} \\x1b[32mok\\x1b[0m\\n' for n in range(at, at + 10000)))\n"
)


def test_a_job_that_failed_shows_its_verdict_evidence_and_time(
    visitor: Visitor, work: Work
) -> None:
    visitor.go(f"/jobs/{work.failed}")
    page = visitor.page
    failed = page.locator(".panel", has_text="How it failed").text_content() or ""
    assert ("user" in failed, "exit" in failed, "data.bin" in failed) == (True, True, True)
    assert page.locator(".timeline tbody tr").count() == 1
    assert page.locator(".timeline svg rect").count() >= 3
    visitor.check("job-failed")


def test_a_job_that_waits_says_why_and_until_when(visitor: Visitor, work: Work) -> None:
    visitor.go(f"/jobs/{work.waiting}")
    waits = visitor.page.locator(".panel", has_text="Why it waits").text_content() or ""
    assert "OUTSIDE_WINDOW" in waits.upper().replace("-", "_")
    visitor.check("job-waiting")


def test_details_show_spec_environment_data_and_cost(visitor: Visitor, work: Work) -> None:
    visitor.go(f"/jobs/{work.succeeded}/details")
    text = visitor.page.locator("#content").text_content() or ""
    assert all(each in text for each in ("Cost so far", "Environment", "Data", '"gang"'))
    visitor.check("job-details")


def test_two_jobs_are_compared_side_by_side(visitor: Visitor, work: Work) -> None:
    visitor.go(f"/jobs/{work.succeeded}/compare")
    visitor.page.get_by_label("Compare with").fill(work.failed)
    visitor.page.get_by_role("button", name="Compare").click()
    visitor.page.get_by_role("heading", name="Spec: what differs").wait_for()
    rows = visitor.page.locator("tr.differs th[scope=row]").all_text_contents()
    assert {"name", "command"} <= set(rows)
    visitor.check("job-compare")


def test_an_array_shows_its_tasks_and_leads_to_each(visitor: Visitor, work: Work) -> None:
    visitor.go(f"/jobs/{work.array}")
    assert visitor.page.locator(".cells a").count() == 3
    visitor.check("job-array")
    visitor.page.locator(".cells a").first.click()
    visitor.page.get_by_role("link", name="its array").wait_for()


def test_a_job_is_cloned_stopped_and_retried(visitor: Visitor, api: Api) -> None:
    job = submit(api, FOREVER, name="to-clone")
    wait_phase(api, job, "running", timeout_s=PATIENCE_S)
    visitor.go(f"/jobs/{job['id']}")
    page = visitor.page
    visitor.check("job-running")
    page.get_by_role("link", name="Clone").click()
    page.get_by_role("textbox", name="Name").fill("the-clone")
    page.get_by_role("spinbutton", name="Priority").fill("3")
    visitor.check("job-clone")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("heading", name="the-clone").wait_for()
    clone = page.url.rpartition("/")[2]
    status, view = api.call("GET", f"/v1/jobs/{clone}")
    assert (status, view["name"], view["priority"], view["command"]) == (
        200,
        "the-clone",
        3,
        job["command"],
    )
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Go on").click()
    page.locator("h1 .p-cancelled").wait_for()  # by itself, once it is
    page.get_by_role("button", name="Retry").click()
    page.locator("h1 .p-running").wait_for()
    for each in (clone, job["id"]):
        assert api.call("POST", f"/v1/jobs/{each}/cancel")[0] == 200


def test_a_clone_that_cannot_be_is_refused_with_its_reason(visitor: Visitor, work: Work) -> None:
    visitor.expected.append("400")
    visitor.expected.append("422")
    visitor.go(f"/jobs/{work.succeeded}/clone")
    page = visitor.page
    page.get_by_text("Everything else, as JSON").click()
    page.get_by_label("Spec").fill("{no")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("the spec is no JSON").wait_for()


def test_logs_of_a_million_lines_are_searched_and_followed(visitor: Visitor, api: Api) -> None:
    job = submit(api, MANY, name="talks-much")
    wait_phase(api, job, "succeeded", timeout_s=PATIENCE_S)
    visitor.go(f"/jobs/{job['id']}/logs")
    page = visitor.page
    page.get_by_text(f"{LINES:,} lines").wait_for()
    assert page.locator("log-view .row").last.text_content() == f"{LINES}step {LINES - 1} ok"
    assert page.locator("log-view .row").count() < 200
    assert page.locator("log-view .row .a-2").count() > 0
    page.get_by_label("Search in these lines").fill("step 765432 ")
    page.locator("log-view .row.at", has_text="step 765432 ok").wait_for()
    page.get_by_text("1 of 1 matches").wait_for()
    visitor.check("job-logs")


def test_lines_come_as_they_are_written(visitor: Visitor, api: Api) -> None:
    told = python(
        "import sys, signal\nprint('first', flush=True)\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('second', flush=True))\nsignal.pause()\nsignal.pause()"
    )
    job = submit(api, told, name="talks-later")
    view = wait_phase(api, job, "running", timeout_s=PATIENCE_S)
    visitor.go(f"/jobs/{job['id']}/logs")
    visitor.page.locator("log-view .row", has_text="first").wait_for()
    order = {"command": ["kill", "-USR1", str(view["attempts"][-1]["ranks"][0]["pid"])]}
    assert api.call("POST", f"/v1/jobs/{job['id']}/exec", order)[0] == 200
    visitor.page.locator("log-view .row", has_text="second").wait_for()
    assert api.call("POST", f"/v1/jobs/{job['id']}/cancel")[0] == 200


def test_without_a_script_there_are_the_last_lines(visitor: Visitor, work: Work) -> None:
    visitor.page.route(re.compile(r"log-view\.js"), lambda route: route.fulfill(body=""))
    visitor.go(f"/jobs/{work.succeeded}/logs")
    text = visitor.page.locator("log-view pre").text_content() or ""
    assert text.splitlines() == ["step 1 loss 2.5", "step 2 loss 1.25"]


def test_progress_is_drawn_while_it_is_reported(visitor: Visitor, api: Api) -> None:
    code = (
        "import signal\nimport gigawatt as gw\n"
        "signal.signal(signal.SIGUSR1, lambda *_: gw.report(step=2, loss=1.5))\n"
        "gw.report(step=1, loss=3.0)\nsignal.pause()\nsignal.pause()"
    )
    job = submit(api, python(code), name="reports")
    view = wait_phase(api, job, "running", timeout_s=PATIENCE_S)
    visitor.go(f"/jobs/{job['id']}")
    visitor.page.locator("#sample", has_text="loss 3").wait_for()
    order = {"command": ["kill", "-USR1", str(view["attempts"][-1]["ranks"][0]["pid"])]}
    assert api.call("POST", f"/v1/jobs/{job['id']}/exec", order)[0] == 200
    visitor.page.locator("#sample", has_text="loss 1.5").wait_for()
    visitor.page.locator("#charts figure canvas").wait_for()
    visitor.check("job-progress")
    assert api.call("POST", f"/v1/jobs/{job['id']}/cancel")[0] == 200
