"""Real instances: a control plane, a gateway and supervisors of their own, on free ports, in a directory of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start, stop

from tests.surface.server.daily import end, running
from tests.surface.server.jobs import View


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One for a module's tests, with three virtual nodes."""
    data = tmp_path_factory.mktemp("instance") / "data"
    try:
        yield start(data, nodes=3)
    finally:
        stop(data)


@pytest.fixture
def api(instance: Instance) -> Iterator[Api]:
    client = Api(instance)
    yield client
    client.close()


@pytest.fixture
def own_data(tmp_path: Path) -> Iterator[Path]:
    """A directory for an instance that the test starts and breaks itself; whatever is left is stopped."""
    data = tmp_path / "data"
    yield data
    if (data / "instance.lock").exists():
        stop(data)


@pytest.fixture
def connect() -> Iterator[Callable[..., Api]]:
    """Connections to instances that a test starts itself; closed at its end."""
    opened: list[Api] = []

    def to(instance: Instance, *, timeout_s: float = 60.0) -> Api:
        opened.append(Api(instance, timeout_s=timeout_s))
        return opened[-1]

    yield to
    for client in opened:
        client.close()


@pytest.fixture
def job(instance: Instance, api: Api) -> Iterator[View]:
    """One that runs, with files of its own."""
    view = running(api)
    yield view
    end(api, view)
