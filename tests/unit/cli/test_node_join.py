"""What `gw node join` refuses before it waits for anything."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from gigawatt.cli.commands.node import join
from gigawatt.engine.ray.joining import address_towards, check_own
from gigawatt.model.refusal import RefusalError

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray")


@needs_ray
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["127.0.0.1:6399", "--name", "a/b"], "'a/b' is not made of letters"),
        (["127.0.0.1:6399", "--at", "rak=r7"], "'rak' is not one of site"),
        (["127.0.0.1:6399", "--label", "x"], "'x' is not NAME=VALUE"),
    ],
)
def test_wrong_words_are_refused_at_once(tmp_path: Path, words: list[str], said: str) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    token.chmod(0o644)
    result = CliRunner().invoke(join, [*words, "--token-file", str(token)])
    assert result.exit_code == 2
    assert said in result.output
    assert f"others can read {token}: chmod 600 {token}" in result.output


@pytest.mark.parametrize("head", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", ":"])
def test_a_head_that_is_no_host_and_port_is_refused(head: str) -> None:
    with pytest.raises(RefusalError) as refused:
        address_towards(head)
    assert refused.value.field == "head"


def test_an_address_of_another_machine_is_refused() -> None:
    check_own("127.0.0.1")
    with pytest.raises(RefusalError, match="is no address of this machine"):
        check_own("192.0.2.1")
