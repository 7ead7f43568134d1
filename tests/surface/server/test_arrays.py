"""A job array on a real instance whose control plane is killed again and again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start

from tests.surface.server.jobs import View
from tests.waiting import until

pytestmark = pytest.mark.slow

TASKS = 200
KILLS = 3


def test_two_hundred_tasks_end_once_each_whatever_happens_to_the_control_plane(
    own_data: Path, connect: Callable[..., Api], tmp_path: Path
) -> None:
    instance = start(own_data, nodes=2)
    ran = tmp_path / "ran"
    ran.mkdir()
    script = f'echo x >> "{ran}/$GIGAWATT_ARRAY_INDEX"; echo "task $GIGAWATT_ARRAY_INDEX"'
    body = {
        "name": "many",
        "script": script,
        "gang": {"cpus": 0.05},
        "array": f"0-{TASKS - 1}%8",
    }
    status, array = connect(instance).call("POST", "/v1/arrays", body)
    assert status == 201, array
    for kill in range(1, KILLS + 1):
        _wait_done(connect(instance), array, TASKS * kill // (KILLS + 2))
        instance = _killed(instance, own_data)
    api = connect(instance)
    view = _wait_done(api, array, TASKS)
    assert (view["phase"], view["indices"]["succeeded"]) == ("succeeded", f"0-{TASKS - 1}")
    assert {path.name: path.read_text() for path in ran.iterdir()} == {
        str(index): "x\n" for index in range(TASKS)
    }
    assert instance.gw("logs", "many[17]") == "task 17\n"
    assert f"{TASKS}/{TASKS}" in instance.gw("jobs")
    assert f"0-{TASKS - 1}" in instance.gw("jobs", "many")


def _killed(instance: Instance, data: Path) -> Instance:
    instance.kill()
    return start(data, nodes=2)


def _wait_done(api: Api, array: View, tasks: int) -> View:
    """The array, once so many of its tasks have ended, and all is told if that is all of them."""

    def look() -> View | None:
        status, view = api.call("GET", f"/v1/arrays/{array['id']}")
        assert status == 200, view
        counts = view["counts"]
        ended = counts["succeeded"] + counts["failed"] + counts["cancelled"]
        return view if ended >= tasks else None

    return until(look, timeout_s=240.0, what=f"{tasks} tasks of {array['id']} have ended")
