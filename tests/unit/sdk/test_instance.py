"""Finding the API."""

import json
from pathlib import Path

import pytest

from gigawatt.sdk.errors import UnreachableError
from gigawatt.sdk.instance import Address, discover

HERE = "http://127.0.0.1:8484"


def an_instance(data: Path) -> Path:
    data.mkdir(parents=True, exist_ok=True)
    (data / "token").write_text("local-key\n")
    told = {
        "pid": 1,
        "api_url": HERE,
        "gateway_url": "http://127.0.0.1:8485",
        "token_path": str(data / "token"),
    }
    (data / "instance.json").write_text(json.dumps(told))
    return data


def found(
    env: dict[str, str] | None = None,
    *,
    api_url: str = "",
    token: str = "",
    data: Path | None = None,
) -> Address:
    return discover(api_url=api_url, token=token, data=data, environ=env or {})


def test_the_instance_on_this_machine_is_found_with_its_key(tmp_path: Path) -> None:
    data = an_instance(tmp_path)
    address = found({"GIGAWATT_DATA": str(data)})
    assert (address.api_url, address.gateway_url) == (HERE, "http://127.0.0.1:8485")
    assert address.token == "local-key"


def test_arguments_win_over_the_environment_and_that_over_the_machine(tmp_path: Path) -> None:
    data = str(an_instance(tmp_path))
    env = {"GIGAWATT_API": "http://env:1/", "GIGAWATT_TOKEN": "env-key", "GIGAWATT_DATA": data}
    by_env = found(env)
    by_argument = found(env, api_url="http://arg:2", token="arg-key")
    by_data = found(env, data=tmp_path)
    assert (by_env.api_url, by_env.token) == ("http://env:1", "env-key")
    assert (by_argument.api_url, by_argument.token) == ("http://arg:2", "arg-key")
    assert (by_data.api_url, by_data.token) == (HERE, "local-key")


def test_a_token_is_read_from_the_file_that_a_rank_is_given(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("rank-token\n")
    address = found({"GIGAWATT_API": HERE, "GIGAWATT_TOKEN_FILE": str(tmp_path / "t")})
    assert (address.api_url, address.token) == (HERE, "rank-token")


def test_the_url_of_the_local_instance_is_enough_to_find_its_key(tmp_path: Path) -> None:
    env = {"GIGAWATT_DATA": str(an_instance(tmp_path))}
    assert found(env, api_url=HERE + "/").token == "local-key"
    assert found(env, api_url="http://other:1").token == ""


def test_no_instance_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no gigawatt instance is running") as error:
        found(data=tmp_path / "none")
    assert f"gw up --detach --data {tmp_path / 'none'}" in error.value.hint


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_file_that_is_no_instance_is_told_as_such(tmp_path: Path, text: str) -> None:
    (tmp_path / "instance.json").write_text(text)
    with pytest.raises(UnreachableError, match=r"instance\.json"):
        found(data=tmp_path)


def test_a_token_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    (an_instance(tmp_path) / "token").unlink()
    with pytest.raises(UnreachableError, match="cannot read the instance's token"):
        found(data=tmp_path)


def test_a_key_is_not_shown_where_an_address_is() -> None:
    assert "secret" not in repr(found(api_url=HERE, token="secret"))
