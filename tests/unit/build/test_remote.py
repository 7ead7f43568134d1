"""URLs of places for artifacts and files of keys: what is wrong is said, and no secret with it."""

from pathlib import Path

import pytest

from gigawatt.build.remote import SharedDirectory, check_url, open_remote
from gigawatt.build.s3 import PART_BYTES, part_size
from gigawatt.build.s3_client import parse_place, read_credentials
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.settings import Settings, with_value

KEYS = "[default]\naws_access_key_id = me\naws_secret_access_key = hidden\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://me:hidden@bucket/p", "it has a user name or a password in it"),
        ("http://bucket/p", "its scheme is 'http'"),
        ("/shared", "its scheme is ''"),
        ("s3:///p", "it names no bucket"),
        ("file://host/shared", "a directory is named by its absolute path"),
        ("file:shared", "a directory is named by its absolute path"),
        ("s3://[/p", "it is no URL"),
    ],
)
def test_what_is_no_place_for_artifacts_is_refused_as_a_setting(url: str, said: str) -> None:
    with pytest.raises(RefusalError, match="artifacts_url cannot be used") as refused:
        with_value(Settings(), "artifacts_url", url, source="GIGAWATT_ARTIFACTS_URL")
    assert (refused.value.code, refused.value.field) == (RefusalCode.INVALID, "artifacts_url")
    assert said in refused.value.detail
    assert "hidden" not in refused.value.detail + refused.value.hint


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/a/b?region=eu-1", "file:///shared/a"])
def test_places_are_taken_as_a_setting(url: str) -> None:
    check_url(url)
    assert with_value(Settings(), "artifacts_url", url, source="x").artifacts_url == url


def test_credentials_are_named_by_an_absolute_path() -> None:
    with pytest.raises(RefusalError, match="is 'keys', which is not an absolute path"):
        with_value(Settings(), "artifacts_credentials", "keys", source="x")


def test_an_empty_url_is_this_disk_alone_and_a_directory_is_decoded(tmp_path: Path) -> None:
    assert open_remote("", credentials="", state=tmp_path) is None
    shared = open_remote("file:///a%20b", credentials="", state=tmp_path)
    assert isinstance(shared, SharedDirectory)
    assert shared.url == "file:///a b"


def test_an_s3_url_says_bucket_prefix_endpoint_and_region() -> None:
    place = parse_place("s3://b/one/two/?endpoint=http://127.0.0.1:9000/&region=eu-1")
    assert (place.bucket, place.prefix, place.endpoint, place.region) == (
        "b",
        "one/two",
        "http://127.0.0.1:9000",
        "eu-1",
    )
    assert place.url == "s3://b/one/two at http://127.0.0.1:9000"
    assert (parse_place("s3://b").url, parse_place("s3://b").key("k")) == ("s3://b", "k")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("endpont=http://h", "the option 'endpont', which there is not"),
        ("endpoint=h:9000", "an endpoint that is no http or https URL"),
        ("endpoint=http://me:hidden@h", "an endpoint that is no http or https URL"),
    ],
)
def test_a_wrong_option_of_an_s3_url_is_said(query: str, said: str) -> None:
    with pytest.raises(RefusalError) as refused:
        parse_place(f"s3://b?{query}")
    assert said in refused.value.detail
    assert "hidden" not in refused.value.detail + refused.value.hint


def test_keys_are_read_from_a_file_that_is_its_owners_alone(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEYS)
    keys.chmod(0o644)
    with pytest.raises(RefusalError, match="others than its owner can read it"):
        read_credentials(keys)
    keys.chmod(0o600)
    assert read_credentials(keys) == {
        "aws_access_key_id": "me",
        "aws_secret_access_key": "hidden",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hidden", r"it has no section \[default\]"),
        ("[other]\naws_secret_access_key = hidden", r"it has no section \[default\]"),
        ("[default]\naws_secret_access_key = hidden", "needs aws_access_key_id and"),
    ],
)
def test_a_file_without_keys_is_refused_without_its_content(
    tmp_path: Path, text: str, said: str
) -> None:
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text(text)
    with pytest.raises(RefusalError, match=said) as refused:
        read_credentials(keys)
    assert "hidden" not in f"{refused.value.detail}{refused.value.__cause__!r}"
    with pytest.raises(RefusalError, match="it cannot be read: No such file"):
        read_credentials(tmp_path / "none")


def test_a_file_of_any_size_has_no_more_parts_than_s3_allows() -> None:
    assert part_size(1, PART_BYTES) == PART_BYTES
    for size_bytes in (PART_BYTES * 10_000, PART_BYTES * 10_000 + 1, 5 << 40):
        assert -(-size_bytes // part_size(size_bytes, PART_BYTES)) <= 10_000
