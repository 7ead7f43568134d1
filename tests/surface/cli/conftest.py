"""The CLI, run in this process against an API double."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gigawatt.cli.app import app
from tests.surface.cli.double import TOKEN, ApiDouble

Gw = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    with ApiDouble() as double:
        yield double


@pytest.fixture
def gw(api: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gw:
    """`gw("jobs", "-o", "json")`, in an empty directory."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    env = {
        "GIGAWATT_API": api.url,
        "GIGAWATT_TOKEN": TOKEN,
        "GIGAWATT_DATA": str(tmp_path / "data"),
        "GIGAWATT_CONTEXT": None,
        "GIGAWATT_PROJECT": None,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "GIGAWATT_DEBUG": None,
        "NO_COLOR": None,
    }

    def run(*args: str, env: dict[str, str | None] | None = None, stdin: str = "") -> Result:
        words: Sequence[str] = args
        return CliRunner().invoke(app, words, env={**base, **(env or {})}, input=stdin)

    base: dict[str, str | None] = {**env}
    return run
