"""Jobs over the API, on a real store and the real loop."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.surface.api.site import attempt_key, running_site

pytestmark = pytest.mark.slow


def test_a_job_is_acknowledged_runs_and_ends(tmp_path: Path) -> None:
    async def scenario() -> dict[str, Any]:
        async with running_site(tmp_path) as site:
            job = await site.submit(labels={"team": "nlp"}, command="python train.py")
            await site.phase(job, "running")
            site.engine.exit(attempt_key(job))
            return await site.phase(job, "succeeded")

    view = asyncio.run(scenario())
    assert view["labels"] == {"team": "nlp"}
    assert view["command"] == ["sh", "-c", "python train.py"]
    assert view["attempts"][0]["verdict"] == "success"
    assert view["ended_ms"] is not None
