"""The official client against the gateway: what it can do with OpenAI it can do here."""

import asyncio

import openai
import pytest

from tests.contract.gateway.replica_double import WORDS
from tests.contract.gateway.site import (
    EXPIRED_KEY,
    MESSAGES,
    OTHER_KEY,
    VIEWER_KEY,
    Site,
    endpoint,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def served(site: Site) -> Site:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    return site


def test_a_chat_completion_is_answered_by_the_replica(served: Site) -> None:
    with served.openai() as client:
        reply = client.chat.completions.with_raw_response.create(
            model="tiny-gpt", messages=MESSAGES
        )
    assert reply.parse().choices[0].message.content == " ".join(WORDS)
    assert reply.headers["x-gigawatt-replica"] == "replica-1"
    assert "x-gigawatt-queue-position" not in reply.headers
    assert reply.parse()._request_id


def test_a_stream_comes_word_by_word_without_a_usage_chunk_that_nobody_asked_for(
    served: Site,
) -> None:
    with served.openai() as client:
        chunks = list(
            client.chat.completions.create(model="tiny-gpt", messages=MESSAGES, stream=True)
        )
    assert [chunk.choices[0].delta.content for chunk in chunks] == list(WORDS)
    assert [chunk.usage for chunk in chunks] == [None] * len(WORDS)


def test_a_stream_ends_with_usage_where_the_client_asked_for_it(served: Site) -> None:
    with served.openai() as client:
        stream = client.completions.create(
            model="tiny-gpt", prompt="x", stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    usage = chunks[-1].usage
    assert usage is not None
    assert (chunks[-1].choices, usage.prompt_tokens, usage.completion_tokens) == ([], 7, 4)


def test_embeddings_are_answered(served: Site) -> None:
    with served.openai() as client:
        reply = client.embeddings.create(model="tiny-gpt", input="x", encoding_format="float")
    assert reply.data[0].embedding == [0.5, 0.25]


def test_the_async_client_streams_many_at_once(served: Site) -> None:
    async def one(client: openai.AsyncOpenAI) -> list[str | None]:
        stream = await client.chat.completions.create(
            model="tiny-gpt", messages=MESSAGES, stream=True
        )
        return [chunk.choices[0].delta.content async for chunk in stream]

    async def everyone() -> list[list[str | None]]:
        async with served.async_openai() as client:
            return await asyncio.gather(*(one(client) for _ in range(20)))

    assert asyncio.run(everyone()) == [list(WORDS)] * 20


def test_models_are_those_of_the_tenant(served: Site) -> None:
    with served.openai(VIEWER_KEY) as client:
        assert [model.id for model in client.models.list()] == ["tiny-gpt"]
        assert client.models.retrieve("tiny-gpt").owned_by == "acme/default"
    with served.openai(OTHER_KEY) as other:
        assert list(other.models.list()) == []
        with pytest.raises(openai.NotFoundError):
            other.models.retrieve("tiny-gpt")


def test_a_misspelt_model_is_refused_with_the_one_that_was_meant(served: Site) -> None:
    with served.openai() as client, pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="tiny-gtp", messages=MESSAGES)
    assert refused.value.code == "model_not_found"
    assert "Did you mean `tiny-gpt`?" in refused.value.message


def test_another_tenants_model_is_not_even_named(served: Site) -> None:
    with served.openai(OTHER_KEY) as client, pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
    assert "No models are served" in refused.value.message


@pytest.mark.parametrize("api_key", ["sk-wrong", EXPIRED_KEY])
def test_a_wrong_or_expired_key_is_refused(served: Site, api_key: str) -> None:
    with served.openai(api_key) as client, pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
    assert refused.value.code == "invalid_api_key"


def test_a_viewer_may_list_and_not_call(served: Site) -> None:
    with served.openai(VIEWER_KEY) as client, pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
