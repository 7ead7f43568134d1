"""What notebooks show: whole, escaped, and without script."""

from typing import Any, cast

from gigawatt.sdk.logs import decoded_lines
from gigawatt.sdk.notebook import ROWS_SHOWN_MAX, TEXT_CHARS_MAX, job_html, listing_html
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.views import JobView, Page

EVIL = "<script>alert(1)</script>"


def a_job(**fields: Any) -> JobView:
    view: dict[str, Any] = {
        "id": "job-1",
        "name": "train",
        "phase": "running",
        "progress": {"step": 3, "loss": 0.5},
        "reason": None,
        "message": "",
        "attempts": [{}],
        "created_ms": 0,
        **fields,
    }
    return cast("JobView", view)


def test_a_job_shows_what_it_is_and_how_far() -> None:
    shown = job_html(a_job())
    for words in ("train", "job-1", "running", "step 3, loss 0.5", "1970-01-01 00:00:00 UTC"):
        assert words in shown
    waiting = job_html(a_job(phase="queued", progress=None, reason={"message": "8 GPUs, 2 free"}))
    assert "8 GPUs, 2 free" in waiting


def test_nothing_that_a_user_wrote_is_markup() -> None:
    views = [
        a_job(name=EVIL, phase=EVIL, message=EVIL, reason={"message": EVIL}, id=EVIL),
        {
            "name": EVIL,
            "phase": EVIL,
            "model": EVIL,
            "url": EVIL,
            "replicas": {"ready": 1, "wanted": 1},
        },
        {"name": EVIL, "newest": 1, "aliases": {EVIL: 1}, "project": EVIL},
        {"name": EVIL, "id": EVIL},
    ]
    shown = job_html(cast("JobView", views[0]))
    shown += "".join(listing_html([view], more=False) for view in views)
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= len(views) * 2


def test_long_text_is_cut() -> None:
    assert "x" * (TEXT_CHARS_MAX + 1) not in job_html(a_job(message="x" * 10_000))


def test_a_list_shows_its_first_page_and_still_gives_all() -> None:
    asked: list[Any] = []

    def page(**filters: Any) -> Page[JobView]:
        asked.append(filters)
        limit = filters.get("limit", 2)
        items = [a_job(name=f"job-{n}") for n in range(limit)]
        return {"items": items, "next": "" if filters.get("cursor") else "more"}

    listing = Listing(page, {"phase": "running"})
    shown = listing._repr_html_()
    assert shown.count("<tr>") == ROWS_SHOWN_MAX + 1
    assert "… and more" in shown
    assert asked[0] == {"phase": "running", "limit": ROWS_SHOWN_MAX}
    assert len(list(listing)) == 4
    assert listing_html([], more=False) == "<p>none</p>"


def test_output_comes_by_lines_however_it_was_cut() -> None:
    chunks = [b"one\ntw", b"o\r\n", b"", b"caf\xc3", b"\xa9\n\xff\n", b"rest"]
    assert list(decoded_lines(iter(chunks))) == ["one", "two", "café", "�", "rest"]
