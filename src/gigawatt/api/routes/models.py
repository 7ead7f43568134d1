"""The model registry: /v1/models, with aliases, their moves, cards and lineage."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Moves, Place, WithReason
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import cards, lineage, models, promotions
from gigawatt.service.cards import CardChange
from gigawatt.service.models import AliasChange
from gigawatt.service.views.model import AliasMoveView, LineageGraphView, ModelCardView
from gigawatt.service.views.registry import ModelVersionView, ModelView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import (
    AliasRequest,
    CardRequest,
    ModelRequest,
    parse_alias,
    parse_request,
)

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/models",
    Operation(
        verb="models.register",
        summary="Register an artifact as the next version of a model",
        responds=ModelVersionView,
        status=201,
        accepts=ModelRequest,
        writes=True,
    ),
)
async def register_model(call: Call, query: Place) -> Response:
    request = parse_request(ModelRequest, await call.body())
    terms = await call.terms()
    view = await models.register(
        call.caller, call.services, request, project=query.project, terms=terms
    )
    return reply(view, status=201, location=f"/v1/models/{request.name}")


@ROUTES.add(
    "GET",
    "/v1/models",
    Operation(verb="models.page", summary="List models", responds=PageView[ModelView]),
)
async def list_models(call: Call, query: Listing) -> Response:
    return page_reply(await models.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/models/{name}",
    Operation(verb="models.show", summary="Show a model with its versions", responds=ModelView),
)
async def show_model(call: Call, name: str, query: Place) -> Response:
    view = await models.show(call.caller, call.services, name, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/models/{name}/aliases/{alias}",
    Operation(
        verb="models.set_alias",
        summary="Point an alias at a version",
        responds=ModelView,
        accepts=AliasRequest,
        writes=True,
        versioned=True,
    ),
)
async def set_model_alias(call: Call, name: str, alias: str, query: Place) -> Response:
    request = parse_request(AliasRequest, await call.body())
    change = AliasChange(
        name=name, alias=parse_alias(alias), number=request.number, reason=request.reason
    )
    terms = await call.terms()
    view = await models.set_alias(
        call.caller, call.services, change, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/models/{name}/aliases/{alias}",
    Operation(
        verb="models.remove_alias",
        summary="Take an alias away",
        responds=ModelView,
        writes=True,
        versioned=True,
    ),
)
async def remove_model_alias(call: Call, name: str, alias: str, query: WithReason) -> Response:
    change = AliasChange(name=name, alias=parse_alias(alias), number=0, reason=query.reason)
    terms = await call.terms()
    view = await models.remove_alias(
        call.caller, call.services, change, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/models/{name}/moves",
    Operation(
        verb="promotions.page",
        summary="List the moves of a model's aliases, newest first",
        responds=PageView[AliasMoveView],
    ),
)
async def list_alias_moves(call: Call, name: str, query: Moves) -> Response:
    found = await promotions.page(
        call.caller, call.services, name, query.filters(), project=query.project
    )
    return page_reply(found)


@ROUTES.add(
    "GET",
    "/v1/models/{name}/versions/{selector}",
    Operation(
        verb="models.show_version",
        summary="Show a version: a number, an alias or `latest`",
        responds=ModelVersionView,
    ),
)
async def show_model_version(call: Call, name: str, selector: str, query: Place) -> Response:
    return reply(
        await models.show_version(call.caller, call.services, name, selector, project=query.project)
    )


@ROUTES.add(
    "GET",
    "/v1/models/{name}/versions/{selector}/card",
    Operation(
        verb="cards.show",
        summary="Show the card of a version: a number, an alias or `latest`",
        responds=ModelCardView,
    ),
)
async def show_model_card(call: Call, name: str, selector: str, query: Place) -> Response:
    return reply(
        await cards.show(call.caller, call.services, name, selector, project=query.project)
    )


@ROUTES.add(
    "PUT",
    "/v1/models/{name}/versions/{selector}/card",
    Operation(
        verb="cards.put",
        summary="Give a version another card",
        responds=ModelCardView,
        accepts=CardRequest,
        writes=True,
    ),
)
async def put_model_card(call: Call, name: str, selector: str, query: Place) -> Response:
    request = parse_request(CardRequest, await call.body())
    change = CardChange(name=name, selector=selector, text=request.text)
    terms = await call.terms()
    view = await cards.put(call.caller, call.services, change, project=query.project, terms=terms)
    return reply(view)


@ROUTES.add(
    "GET",
    "/v1/models/{name}/versions/{selector}/lineage",
    Operation(
        verb="lineage.show",
        summary="Show what a version was made from and what serves it",
        responds=LineageGraphView,
    ),
)
async def show_model_lineage(call: Call, name: str, selector: str, query: Place) -> Response:
    return reply(
        await lineage.show(call.caller, call.services, name, selector, project=query.project)
    )
