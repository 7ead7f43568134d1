"""Secrets of a project, by name: /v1/secrets."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Place
from gigawatt.api.replies import nothing, page_reply, reply
from gigawatt.service import secrets
from gigawatt.service.views.account import RotationView, SecretView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import SecretRequest, parse_secret

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/secrets",
    Operation(
        verb="secrets.page",
        summary="List a project's secrets, without their values",
        responds=PageView[SecretView],
    ),
)
async def list_secrets(call: Call, query: Place) -> Response:
    return page_reply(await secrets.page(call.caller, call.services, project=query.project))


@ROUTES.add(
    "PUT",
    "/v1/secrets/{name}",
    Operation(
        verb="secrets.put",
        summary="Keep a secret under a name, for ranks or for one address",
        responds=SecretView,
        accepts=SecretRequest,
    ),
)
async def put_secret(call: Call, name: str, query: Place) -> Response:
    request = parse_secret(await call.body())
    view = await secrets.put(call.caller, call.services, name, request, project=query.project)
    return reply(view)


@ROUTES.add(
    "DELETE",
    "/v1/secrets/{name}",
    Operation(verb="secrets.remove", summary="Forget a secret", status=204),
)
async def remove_secret(call: Call, name: str, query: Place) -> Response:
    await secrets.remove(call.caller, call.services, name, project=query.project)
    return nothing()


@ROUTES.add(
    "POST",
    "/v1/secret-keys/rotate",
    Operation(
        verb="secrets.rotate",
        summary="Seal every secret by new keys, and forget the old ones",
        responds=RotationView,
    ),
)
async def rotate_keys(call: Call) -> Response:
    return reply(await secrets.rotate(call.caller, call.services))
