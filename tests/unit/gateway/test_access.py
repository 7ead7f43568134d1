from hashlib import sha256

from gigawatt.gateway.access import authenticate, find_endpoint, may_call, may_list, visible
from gigawatt.gateway.config import Config, EndpointConfig, KeyConfig, parse_config
from gigawatt.gateway.errors import ErrorReply
from gigawatt.model.tenant import Role


def key(
    token: str = "k", *, project: str = "", role: str = "developer", expires_ms: int = 0
) -> dict[str, object]:
    digest = sha256(token.encode()).hexdigest()
    return {
        "sha256": digest, "tenant": "acme", "project": project, "id": f"key-{token}", "role": role,
        "expires_ms": expires_ms,
    }  # fmt: skip


def endpoint(
    served: str, *, tenant: str = "acme", project: str = "acme/a", phase: str = "ready"
) -> dict[str, object]:
    return {
        "id": f"{tenant}-{project}-{served}", "tenant": tenant, "project": project, "name": served,
        "served_name": served, "concurrency": 1, "queue_max": 1, "queue_timeout_s": 1, "phase": phase,
        "replicas": [],
    }  # fmt: skip


def config(*items: dict[str, object]) -> Config:
    keys = [item for item in items if "sha256" in item]
    endpoints = [item for item in items if "served_name" in item]
    return parse_config({"revision": 1, "keys": keys, "endpoints": endpoints})


def holder(config: Config) -> KeyConfig:
    (key,) = config.keys.values()
    return key


def names(endpoints: list[EndpointConfig]) -> list[str]:
    return [endpoint.served_name for endpoint in endpoints]


def refusal(result: object) -> ErrorReply:
    assert isinstance(result, ErrorReply)
    return result


def test_a_key_is_known_by_its_hash() -> None:
    known = config(key("secret"))
    assert authenticate(known, b"Bearer secret", now_ms=5) == holder(known)
    assert authenticate(known, b"bearer  secret ", now_ms=5) == holder(known)


def test_a_key_holds_until_the_moment_it_expires() -> None:
    known = config(key("secret", expires_ms=10))
    assert authenticate(known, b"Bearer secret", now_ms=9) == holder(known)
    assert "expired" in refusal(authenticate(known, b"Bearer secret", now_ms=10)).message


def test_no_header_another_scheme_and_a_wrong_key_are_401_and_none_repeats_the_key() -> None:
    known = config(key("secret"))
    for header in (
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic secret",
        b"Bearer wrong",
        b"secret",
        b"\xff\xff",
    ):
        error = refusal(authenticate(known, header, now_ms=0))
        assert (error.status, error.code) == (401, "invalid_api_key")
        assert "wrong" not in error.message


def test_who_may_call_and_who_may_list() -> None:
    callers = {role for role in Role if may_call(holder(config(key(role=role)))) is None}
    listers = {role for role in Role if may_list(holder(config(key(role=role)))) is None}
    assert callers == set(Role) - {Role.VIEWER, Role.AUDITOR, Role.GATEWAY}
    assert listers == callers | {Role.VIEWER}


def test_a_key_sees_its_tenant_and_within_it_its_project() -> None:
    served = [
        endpoint("two", project="acme/b"),
        endpoint("one"),
        endpoint("gone", phase="stopping"),
        endpoint("theirs", tenant="other"),
    ]
    whole = config(key(), *served)
    part = config(key(project="acme/b"), *served)
    assert names(visible(whole, holder(whole))) == ["one", "two"]
    assert names(visible(part, holder(part))) == ["two"]


def test_a_model_is_found_in_the_keys_own_tenant_and_project() -> None:
    served = [
        endpoint("m", tenant="other", project="other/a"),
        endpoint("m", project="acme/a"),
        endpoint("m", project="acme/b"),
    ]
    known = config(key(project="acme/b"), *served)
    found = find_endpoint(known, holder(known), "m")
    assert isinstance(found, EndpointConfig)
    assert (found.tenant, found.project) == ("acme", "acme/b")


def test_an_unknown_model_is_refused_with_the_nearest_and_all_that_there_are() -> None:
    known = config(key(), endpoint("tiny-gpt"), endpoint("large"), endpoint("x", tenant="other"))
    error = refusal(find_endpoint(known, holder(known), "tinygpt"))
    assert error.message == (
        "The model `tinygpt` does not exist. Did you mean `tiny-gpt`? There are: large, tiny-gpt."
    )
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")


def test_a_name_of_any_length_is_refused_in_a_few_words() -> None:
    many = [endpoint(f"model-{n:02}") for n in range(50)]
    known = config(key(), *many)
    error = refusal(find_endpoint(known, holder(known), "m" * 1_000_000))
    assert len(error.message) < 600
    assert error.message.endswith("and 30 more.")
