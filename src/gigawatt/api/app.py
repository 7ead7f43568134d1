"""The API as an ASGI application, put together from services that run already."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gigawatt.api import openapi
from gigawatt.api.middleware import RequestFrame
from gigawatt.api.operations import Routes
from gigawatt.api.problems import bad_query, http_error, refused
from gigawatt.api.routes import (
    accounts,
    arrays,
    asking,
    audit,
    builds,
    endpoints,
    environments,
    fleet,
    health,
    jobs,
    labels,
    live,
    models,
    money,
    notifications,
    people,
    power,
    queue,
    quotas,
    reservations,
    retention,
    schedules,
    secrets,
    sign_in,
    site,
    talks,
    templates,
    uploads,
    usage,
    volumes,
    work,
    workspaces,
)
from gigawatt.model.refusal import RefusalError
from gigawatt.service.services import Services
from gigawatt.version import __version__

BODY_BYTES_MAX = 1 << 20
TITLE = "gigawatt"

ALL_ROUTES: tuple[Routes, ...] = (
    jobs.ROUTES,
    asking.ROUTES,
    arrays.ROUTES,
    work.ROUTES,
    queue.ROUTES,
    live.ROUTES,
    talks.ROUTES,
    labels.ROUTES,
    templates.ROUTES,
    schedules.ROUTES,
    notifications.ROUTES,
    endpoints.ROUTES,
    workspaces.ROUTES,
    site.ROUTES,
    fleet.ROUTES,
    usage.ROUTES,
    builds.ROUTES,
    uploads.ROUTES,
    environments.ROUTES,
    secrets.ROUTES,
    sign_in.ROUTES,
    models.ROUTES,
    volumes.ROUTES,
    accounts.ROUTES,
    people.ROUTES,
    audit.ROUTES,
    power.ROUTES,
    money.ROUTES,
    reservations.ROUTES,
    quotas.ROUTES,
    retention.ROUTES,
    health.ROUTES,
)


def create_app(
    services: Services, *, body_bytes_max: int = BODY_BYTES_MAX, pinned: bool = False
) -> FastAPI:
    """The application. `body_bytes_max` holds for every body but artifacts'; `pinned`, browsers are told to use TLS here
    for good.
    """
    app = FastAPI(
        title=TITLE,
        version=__version__,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    for routes in ALL_ROUTES:
        app.router.routes.extend(routes.router.routes)
    app.add_exception_handler(RefusalError, refused)
    app.add_exception_handler(RequestValidationError, bad_query)
    app.add_exception_handler(HTTPException, http_error)
    app.add_middleware(RequestFrame, body_bytes_max=body_bytes_max, pinned=pinned)

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi.document(app, ALL_ROUTES)
        return app.openapi_schema

    app.openapi = described
    return app
