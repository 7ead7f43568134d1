"""One instance with small real work and one browser, for all tests of the console."""

from collections.abc import Iterator

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start, stop
from playwright.sync_api import Browser, expect, sync_playwright

from tests.surface.console.browsing import CHROMIUM, FLAGS, PATIENCE_MS, Visitor, visiting
from tests.surface.console.work import Work, bring_about


# Of a module: Playwright's loop must be gone before tests elsewhere start loops of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium to drive")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Three virtual nodes."""
    data = tmp_path_factory.mktemp("console") / "data"
    try:
        yield start(data, nodes=3)
    finally:
        stop(data)


@pytest.fixture
def api(instance: Instance) -> Iterator[Api]:
    client = Api(instance)
    yield client
    client.close()


@pytest.fixture(scope="package")
def work(instance: Instance) -> Work:
    """What the instance has been given to do: something of everything that pages show."""
    client = Api(instance)
    try:
        return bring_about(client)
    finally:
        client.close()


@pytest.fixture
def visitor(browser: Browser, instance: Instance) -> Iterator[Visitor]:
    """A browser that has signed in."""
    with visiting(browser, instance) as found:
        yield found


@pytest.fixture
def stranger(browser: Browser, instance: Instance) -> Iterator[Visitor]:
    """A browser that has not."""
    with visiting(browser, instance, signed_in=False) as found:
        yield found
