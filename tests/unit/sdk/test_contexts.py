"""Instances by name: what is stored, who may read it, and which one is asked."""

import json
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.contexts import (
    Context,
    Contexts,
    context_name,
    contexts_path,
    in_the_clear,
    read_contexts,
    write_contexts,
)
from gigawatt.sdk.instance import discover

PROD = Context(name="prod", api_url="https://prod.example", token="prod-key", user="ann")
TEST = Context(name="test", api_url="https://test.example", token="test-key")
BOTH = Contexts(current="test", known=(PROD, TEST))
HERE = "http://127.0.0.1:8484"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment in which both are stored and `test` is in use."""
    found = {"XDG_CONFIG_HOME": str(tmp_path)}
    write_contexts(contexts_path(found), BOTH)
    return found


def an_instance(data: Path) -> str:
    data.mkdir()
    (data / "token").write_text("local-key\n")
    told = {"api_url": HERE, "token_path": str(data / "token")}
    (data / "instance.json").write_text(json.dumps(told))
    return str(data)


def asked(env: dict[str, str], context: str = "") -> tuple[str, str]:
    found = discover(api_url="", token="", data=None, environ=env, context=context)
    return found.api_url, found.token


def test_what_is_written_is_read_and_its_owner_alone_can(env: dict[str, str]) -> None:
    path = contexts_path(env)
    assert read_contexts(path) == BOTH
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["contexts.json"]


def test_a_file_that_others_can_read_is_refused(env: dict[str, str]) -> None:
    contexts_path(env).chmod(0o640)
    with pytest.raises(RefusalError, match="others can read it") as error:
        read_contexts(contexts_path(env))
    assert error.value.hint.startswith("chmod 600 ")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"contexts": [{"name": "a"}]}', '{"contexts": 1}']
)
def test_a_damaged_file_is_told_and_not_replaced(env: dict[str, str], text: str) -> None:
    contexts_path(env).write_text(text)
    with pytest.raises(RefusalError, match="is damaged"):
        read_contexts(contexts_path(env))
    assert contexts_path(env).read_text() == text


def test_no_file_is_no_context(tmp_path: Path) -> None:
    assert read_contexts(tmp_path / "none.json") == Contexts()


def test_an_argument_wins_then_the_environment_then_the_context_in_use(
    env: dict[str, str], tmp_path: Path
) -> None:
    data = an_instance(tmp_path / "data")
    by_url = {**env, "GIGAWATT_API": "http://env:1", "GIGAWATT_TOKEN": "env-key"}
    assert asked(env) == ("https://test.example", "test-key")
    assert asked({**env, "GIGAWATT_DATA": data}) == (HERE, "local-key")
    assert asked({**env, "GIGAWATT_DATA": data, "GIGAWATT_CONTEXT": "prod"})[0] == PROD.api_url
    assert asked({**by_url, "GIGAWATT_CONTEXT": "prod"}) == ("http://env:1", "env-key")
    assert asked(by_url, "prod") == ("https://prod.example", "prod-key")
    assert asked({**by_url, "GIGAWATT_DATA": data}, "local") == (HERE, "local-key")


def test_a_key_of_the_environment_is_not_sent_to_a_context(env: dict[str, str]) -> None:
    assert asked({**env, "GIGAWATT_TOKEN": "env-key"}) == ("https://test.example", "test-key")


def test_a_context_and_a_url_exclude_each_other(env: dict[str, str]) -> None:
    with pytest.raises(RefusalError, match="a context names an instance"):
        discover(api_url=HERE, token="", data=None, environ=env, context="prod")


def test_an_unknown_context_is_refused_with_the_nearest_name(env: dict[str, str]) -> None:
    with pytest.raises(RefusalError, match="no context 'prdo'") as error:
        asked(env, "prdo")
    assert (error.value.code, error.value.hint) == (RefusalCode.NOT_FOUND, "did you mean 'prod'?")


def test_a_new_key_replaces_the_old_one_and_another_instance_does_not() -> None:
    renewed = Context(name="prod", api_url=PROD.api_url, token="new")
    assert BOTH.having(renewed).find("prod").token == "new"
    with pytest.raises(RefusalError, match=r"context 'prod' is https://prod\.example already"):
        BOTH.having(Context(name="prod", api_url="https://else", token="x"))


def test_removing_the_one_in_use_leaves_this_machine_s() -> None:
    assert BOTH.without("test") == Contexts(known=(PROD,))
    assert BOTH.without("prod").current == "test"
    assert BOTH.using("local").current == ""


def test_names_are_made_from_the_host_and_checked() -> None:
    assert context_name("", "https://gpus.example.org") == "gpus-example-org"
    assert context_name("", "http://127.0.0.1:8484") == "127-0-0-1-8484"
    for wrong in ("local", "Not A Name"):
        with pytest.raises(RefusalError):
            context_name(wrong, "https://a")


def test_plain_http_to_another_machine_is_in_the_clear() -> None:
    urls = ("http://a.example", "https://a.example", HERE, "http://localhost:1", "http://[::1]:1")
    assert [in_the_clear(url) for url in urls] == [True, False, False, False, False]


def test_a_key_is_not_shown_where_a_context_is() -> None:
    assert "prod-key" not in repr(BOTH)
