"""Buckets that volumes may be: their URLs, the endpoints that are allowed, the secrets that open them."""

from pathlib import Path

import pytest

from gigawatt.build.buckets import (
    address_of,
    bucket_url,
    key_for,
    parse_bucket,
    parse_endpoints,
)
from gigawatt.build.secrets import Secret, SecretFiles
from gigawatt.build.wrapping import held_keys
from gigawatt.model.refusal import RefusalCode, RefusalError

OURS = "https://s3.example.org:9000"


def refusal(url: str, *endpoints: str) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        parse_bucket(url, endpoints)
    return caught.value


def test_a_url_is_always_written_the_same_way() -> None:
    place = parse_bucket(f"s3://lake/a/b/?region=eu-west-1&endpoint={OURS}/", (OURS,))
    assert bucket_url(place) == f"s3://lake/a/b?endpoint={OURS}&region=eu-west-1"
    assert parse_bucket(bucket_url(place), (OURS,)) == place
    assert address_of(place) == f"{OURS}/lake/a/b"
    aws = parse_bucket("s3://lake", ())
    assert bucket_url(aws) == "s3://lake?region=us-east-1"
    assert address_of(aws) == "https://s3.us-east-1.amazonaws.com/lake"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://lake/x", "its scheme is 'http'"),
        ("s3://key:secret@lake/x", "it has a user name or a password in it"),
        ("s3:///x", "'' is no name of a bucket"),
        ("s3://Lake", "'Lake' is no name of a bucket"),
        ("s3://lake?profile=x", "it has the option 'profile', which there is not"),
        ("s3://lake?region=evil.org/", "'evil.org/' is no region"),
        (f"s3://lake/{'x' * 1025}", "its prefix is no key of at most 1024 bytes"),
        ("s3://[lake", "it is no URL"),
    ],
)
def test_a_url_that_is_none_of_a_bucket_is_refused_without_repeating_keys(
    url: str, why: str
) -> None:
    error = refusal(url)
    assert (error.code, error.field) == (RefusalCode.INVALID, "url")
    assert error.detail == f"the URL of an S3 volume cannot be used: {why}"
    assert "secret@" not in error.detail


def test_only_endpoints_that_the_operator_allows_are_asked() -> None:
    error = refusal("s3://lake?endpoint=http://169.254.169.254", OURS)
    assert (error.code, error.field) == (RefusalCode.FORBIDDEN, "url")
    assert error.hint == f"allowed are {OURS}, and AWS without an endpoint"
    assert "volume_s3_endpoints" in refusal(f"s3://lake?endpoint={OURS}").hint


def test_the_setting_holds_servers_alone() -> None:
    assert parse_endpoints(f" {OURS}/  http://127.0.0.1:9 ") == ("http://127.0.0.1:9", OURS)
    for wrong in ("ftp://x", "https://x/y", "https://a:b@x", "x"):
        with pytest.raises(RefusalError, match="no http or https URL of a server alone"):
            parse_endpoints(wrong)


def test_keys_are_two_or_three_words_of_a_secret_for_that_address(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path, held_keys())
    place = parse_bucket(f"s3://lake/a?endpoint={OURS}", (OURS,))

    def given(value: str, url: str = f"{OURS}/lake") -> dict[str, str]:
        secrets.put("t/p", Secret(name="k", url=url, value=value))
        return key_for(secrets, "t/p", "k", place)

    two = {"aws_access_key_id": "AK", "aws_secret_access_key": "s/+"}
    assert given("AK:s/+") == two
    assert given("AK:s/+:tok:en") == {**two, "aws_session_token": "tok:en"}
    assert key_for(secrets, "t/p", "", place) == {}
    with pytest.raises(RefusalError, match="is not ACCESS_KEY:SECRET_KEY") as caught:
        given("hushhush")
    assert "hushhush" not in caught.value.detail
    with pytest.raises(RefusalError) as caught:
        given("AK:s", f"{OURS}/other")
    assert caught.value.hint == f"gw secrets set k --for {OURS}/lake/a, with ACCESS_KEY:SECRET_KEY"
