"""The console as an application of its own, mounted on the control plane's."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from gigawatt.console.all_pages import PAGES
from gigawatt.console.assets import assets, serve_asset
from gigawatt.console.live import Hub, stream_page
from gigawatt.console.navigation import BASE, ENTRIES, url
from gigawatt.console.playground import Playground
from gigawatt.console.policy import REPORT_PATH, take_report
from gigawatt.console.refusals import bad_query, http_error, mistaken, refused
from gigawatt.model.refusal import RefusalError
from gigawatt.service.services import Services


def install(app: FastAPI, services: Services) -> None:
    """Serve the console below /console, and lead there who comes to the root."""
    app.router.routes.append(Mount(BASE, app=create_console(services)))
    app.router.routes += [Route("/", _to_console), Route(BASE, _to_console)]


def create_console(services: Services) -> FastAPI:
    """The console's application."""
    assets()  # read before anybody waits for them
    console = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    console.state.services = services
    console.state.playground = Playground()
    names = {page.name for page in PAGES}
    console.state.entries = tuple(each for each in ENTRIES if each.name in names)
    for page in PAGES:
        console.router.routes.extend(page.router.routes)
    console.add_api_route("/static/{digest}/{path:path}", serve_asset, response_model=None)
    console.add_api_route("/live", stream_page, response_model=None)
    console.add_api_route(REPORT_PATH, take_report, methods=["POST"], response_model=None)
    console.add_exception_handler(RefusalError, refused)
    console.add_exception_handler(RequestValidationError, bad_query)
    console.add_exception_handler(HTTPException, http_error)
    console.add_exception_handler(Exception, mistaken)
    console.state.hub = Hub(services, console)
    return console


async def _to_console(_request: Request) -> Response:
    return RedirectResponse(url("/"), 303)
