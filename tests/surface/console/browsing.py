"""A page of the console in a real browser, and all that must not go wrong on any of them.

Pictures of pages are written into the folder that GIGAWATT_SCREENSHOTS names, for people to look at.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from benchmarks.instance import Instance
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, Response
from playwright.sync_api import TimeoutError as NotSettledError

PATIENCE_MS, SETTLED_MS = 60_000, 10_000
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NARROW, WIDE, WALL = 390, 1440, 3840
SCREENSHOTS = "GIGAWATT_SCREENSHOTS"
AXE = Path(__file__).parent / "axe" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to drive")


@dataclass(slots=True)
class Visitor:
    """A signed-in browser window. `faults` has what a page did that no page may."""

    page: Page
    instance: Instance
    faults: list[str] = field(default_factory=list[str])
    expected: list[str] = field(default_factory=list[str])  # parts of faults that a test provokes

    def go(self, path: str) -> Response | None:
        """Open a path below /console, and wait until it stands."""
        reply = self.page.goto(f"{self.instance.api_url}/console{path}")
        self.page.wait_for_load_state("load")
        return reply

    def check(self, name: str) -> None:
        """What must hold of every page: no violation of accessibility, light and dark, narrow and wide. Takes pictures."""
        for scheme in ("light", "dark"):
            for width in (WIDE, NARROW):
                self.page.emulate_media(color_scheme=scheme)
                self.page.set_viewport_size({"width": width, "height": 900})
                assert self._overflow() <= 0, f"{name} is wider than {width} pixels"
                self._picture(f"{name}-{scheme}-{width}")
                violations = self.violations()
                assert violations == [], f"{name}, {scheme}, {width}: {violations}"
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": WALL, "height": 2160})
        assert self._overflow() <= 0, f"{name} is wider than {WALL} pixels"
        self._picture(f"{name}-light-{WALL}")
        self.page.set_viewport_size({"width": WIDE, "height": 900})

    def violations(self) -> list[tuple[str, str, str]]:
        """What axe finds: rule, element, and what is wrong with it."""
        if not self.page.evaluate("() => Boolean(window.axe)"):
            self.page.evaluate(AXE.read_text() + "; undefined")
        found: Any = self.page.evaluate(
            "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", AXE_RULES
        )
        return [
            (each["id"], node["html"][:120], node["failureSummary"].replace("\n", " ")[:200])
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def _overflow(self) -> int:
        """By how many pixels the page is too wide, once what follows its width has done so."""
        with suppress(NotSettledError):
            self.page.wait_for_function(f"() => ({BEYOND}) <= 0", timeout=SETTLED_MS)
        found: int = self.page.evaluate(f"() => {BEYOND}")
        return found

    def _picture(self, name: str) -> None:
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@contextmanager
def visiting(browser: Browser, instance: Instance, *, signed_in: bool = True) -> Generator[Visitor]:
    """A window of its own, signed in by `gw console`; fails at its end for errors, reports and foreign hosts."""
    context = browser.new_context(viewport={"width": WIDE, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    visitor = Visitor(page, instance)
    _listen(page, visitor)
    try:
        if signed_in:
            page.goto(instance.gw("console").strip())
            page.wait_for_url("**/console/")
        yield visitor
        faults = [each for each in visitor.faults if not any(e in each for e in visitor.expected)]
        assert faults == [], "\n".join(faults)
    finally:
        context.close()


def _listen(page: Page, visitor: Visitor) -> None:
    """Everything that a page may not do is written down: errors, reports of its policy, requests to others."""
    own = urlsplit(visitor.instance.api_url).netloc

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            visitor.faults.append(f"console {message.type}: {message.text}")

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != own:
            visitor.faults.append(f"request to another host: {request.url}")
        if parts.path.endswith("/console/reports"):
            visitor.faults.append(f"report of the policy: {request.post_data}")

    def failed(error: Error) -> None:
        visitor.faults.append(f"uncaught: {error.message}")

    page.on("console", said)
    page.on("request", asked)
    page.on("pageerror", failed)
