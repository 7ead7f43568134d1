"""The OpenAPI document is true: of every route, and against requests made from it."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Config, GenerationMode

from gigawatt.api.app import ALL_ROUTES
from gigawatt.model.tenant import Role
from gigawatt.service.permissions import VERBS
from tests.surface.api.conftest import Play
from tests.surface.api.served import served_site
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

NOT_BY_HTTP = {
    "artifacts.put_open",  # an open file cannot be sent so: tests of the handoff reach it
    *(f"twin.{name}" for name in ("play", "played", "show", "cycles", "replay")),  # pages alone
}
ENDLESS = "/v1/events/watch"  # it answers for as long as it is listened to
EXAMPLES_MAX = 20
CALLERS = tuple(role.value for role in Role if role is not Role.RANK)
CONFIG: Config = Config.from_dict(  # pyright: ignore[reportUnknownMemberType] - its dict has no types
    {
        "checks": {
            # What fits the schema may still name what is not there or could never run.
            "positive_data_acceptance": {"enabled": False},
            # Large bodies are refused for their size before anyone looks inside.
            "negative_data_rejection": {"expected-statuses": ["4xx"]},
        }
    }
)
OPERATIONS = sorted(
    (method, path, mode.value)
    for routes in ALL_ROUTES
    for (method, path), operation in routes.operations.items()
    for mode in GenerationMode
    # Public routes take nothing, so nothing can be wrong with it.
    if path != ENDLESS and (operation.verb or mode is GenerationMode.POSITIVE)
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with served_site(tmp_path_factory.mktemp("site")) as (url, key):
        loaded = schemathesis.openapi.from_url(f"{url}/openapi.json", config=CONFIG)
        yield loaded, {role: f"Bearer {_key(url, key, role)}" for role in CALLERS}


@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_requests_made_from_the_document_are_answered_as_it_says(
    document: Any, method: str, path: str, mode: str
) -> None:
    schema, keys = document

    @settings(
        max_examples=EXAMPLES_MAX,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(
        case=schema[path][method].as_strategy(generation_mode=GenerationMode(mode)),
        role=st.sampled_from(CALLERS),
    )
    def conforms(case: Any, role: str) -> None:
        case.call_and_validate(headers={"Authorization": keys[role]})

    conforms()


def _key(url: str, admin: str, role: str) -> str:
    """The secret of a key with a role; the administrator's own for operators, who see most."""
    if role == Role.OPERATOR:
        return admin
    headers = {"Authorization": f"Bearer {admin}"}
    made = httpx2.post(f"{url}/v1/keys", json={"name": role, "role": role}, headers=headers)
    return made.raise_for_status().json()["key"]


def test_every_route_is_declared_and_calls_a_verb_of_the_table(play: Play) -> None:
    async def scenario(site: Site) -> None:
        declared = {key: each for routes in ALL_ROUTES for key, each in routes.operations.items()}
        served = {
            (method, route.path)
            for route in site.app.routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }
        assert served == set(declared)
        called = {verb for each in declared.values() for verb in (each.verb, each.dry_run)}
        assert called - {""} == set(VERBS) - NOT_BY_HTTP
        public = {path for (_, path), each in declared.items() if not each.verb}
        assert public == {
            "/healthz",
            "/readyz",
            "/metrics",
            "/v1/sign-in",
            "/v1/sign-in/{provider}/start",
            "/v1/sign-in/{provider}/token",
            "/v1/sign-in-callback",
        }

    play(scenario)


def test_every_reference_of_the_document_leads_somewhere(play: Play) -> None:
    async def scenario(site: Site) -> None:
        document = (await site.call("GET", "/openapi.json", key="")).json()
        names = set(document["components"]["schemas"])
        assert references(document) <= {f"#/components/schemas/{name}" for name in names}
        assert "JobPage" in names
        answer = document["paths"]["/v1/jobs"]["post"]["responses"]["201"]
        assert answer["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/JobView"
        }

    play(scenario)


def references(value: Any) -> set[str]:
    """Every `$ref` in a document."""
    if isinstance(value, list):
        return {ref for each in value for ref in references(each)}  # pyright: ignore[reportUnknownVariableType] - parsed JSON
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - parsed JSON
    return own | references(list(value.values()))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - parsed JSON
