import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.gateway.call import Call, parse_call
from gigawatt.gateway.errors import ErrorReply

MANY = 1_000_000


def parsed(body: bytes, *, streams: bool = True) -> Call:
    call = parse_call(body, streams=streams, json_values_max=MANY)
    assert isinstance(call, Call), call
    return call


def refused(body: bytes, *, json_values_max: int = MANY) -> ErrorReply:
    error = parse_call(body, streams=True, json_values_max=json_values_max)
    assert isinstance(error, ErrorReply)
    return error


def test_a_plain_call_is_sent_on_as_it_came() -> None:
    body = b'{ "model" : "m",\n "n":1e400, "model" : "m" }'
    assert parsed(body) == Call(model="m", stream=False, usage_added=False, body=body, fields={})


def test_a_stream_without_options_has_the_usage_asked_for_and_no_other_byte_changed() -> None:
    body = b' { "stream" : true, "model":"m","seed":123456789012345678901234567890 }'
    call = parsed(body)
    asked = b'"stream_options":{"include_usage":true},'
    assert call == Call(
        model="m", stream=True, usage_added=True, body=b" {" + asked + body[2:], fields={}
    )


def test_a_stream_that_asks_for_usage_is_sent_on_as_it_came() -> None:
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
    assert parsed(body) == Call(model="m", stream=True, usage_added=False, body=body, fields={})


@pytest.mark.parametrize("options", ["null", '{"include_usage":false}', '{"other":1}', "{}"])
def test_other_stream_options_are_kept_beside_the_asking(options: str) -> None:
    body = f'{{"model":"m","stream":true,"stream_options":{options},"text":"\\ud800 é"}}'
    call = parsed(body.encode())
    sent = json.loads(call.body)
    assert call.usage_added
    assert sent["stream_options"] == {**(json.loads(options) or {}), "include_usage": True}
    assert sent["text"] == "\ud800 é"


def test_what_does_not_stream_is_not_asked_to() -> None:
    body = b'{"model":"m","stream":true}'
    assert parsed(body, streams=False).body == body


def test_too_many_values_are_not_parsed() -> None:
    body = b'{"model":"m","input":[' + b"[]," * 500_000 + b"[]]}"
    error = refused(body, json_values_max=500_000)
    assert (error.status, error.code) == (413, "too_many_values")


def test_the_place_of_a_mistake_is_named() -> None:
    error = refused(b'{\n  "model": "m",,\n}')
    assert "line 2, column 16 (character 17)" in error.message


@given(st.binary(max_size=40))
def test_any_bytes_are_a_call_or_a_400(body: bytes) -> None:
    result = parse_call(body, streams=True, json_values_max=MANY)
    assert isinstance(result, Call) or result.status == 400


@given(
    more=st.dictionaries(
        st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=4
    ),
    ascii_only=st.booleans(),
)
def test_what_is_added_to_a_stream_is_the_asking_alone(
    *, more: dict[str, object], ascii_only: bool
) -> None:
    fields = {**more, "model": "m", "stream": True}
    fields.pop("stream_options", None)
    text = json.dumps(fields, ensure_ascii=ascii_only)
    sent = json.loads(parsed(text.encode(errors="surrogatepass")).body)
    assert sent == {**fields, "stream_options": {"include_usage": True}}
