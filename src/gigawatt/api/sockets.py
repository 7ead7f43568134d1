"""WebSocket connections: who may open one, and how what is wrong is told before and after it is open.

Before, as any other call: a status and a problem (RFC 9457). After, as a message with the problem, and the close code
4000 and its status.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.websockets import WebSocket, WebSocketDisconnect

from gigawatt import clock
from gigawatt.api.call import address_of
from gigawatt.api.middleware import ID_BYTES
from gigawatt.api.operations import Routes
from gigawatt.api.problems import internal_fields, problem, problem_fields
from gigawatt.api.pump import Pump, Talk
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.services import Services
from gigawatt.spec import talk
from gigawatt.spec.talk import TalkError

log = logging.getLogger("gigawatt.api")

START_S = 10.0  # for the first message of a client

Open = Callable[["Opened"], Awaitable[Talk]]


class Opened:
    """A connection that is open, and whose key is good."""

    def __init__(self, socket: WebSocket, services: Services, caller: Caller) -> None:
        self.socket = socket
        self.services = services
        self.caller = caller

    def path(self, name: str) -> str:
        """A part of the path; empty where it has none of this name."""
        return str(self.socket.path_params.get(name, ""))

    async def start(self) -> Any:
        """What the client's first message says is to be started. Raises TalkError, RefusalError."""
        try:
            async with asyncio.timeout(START_S):
                text = await self.socket.receive_text()
        except TimeoutError:
            raise TalkError(f"no start came in {START_S:g} s") from None
        except KeyError:
            raise TalkError("the first message is not text") from None
        if len(text) > talk.TEXT_BYTES_MAX:
            raise RefusalError(RefusalCode.TOO_LARGE, "the first message is too large")
        message = talk.parse_text(text)
        if message.name != "start":
            raise TalkError(f"the first message is {message.name[:40]!r}, not 'start'")
        return message.fields


def add_socket(routes: Routes, path: str, opened: Open) -> None:
    """Serve `path` to WebSocket clients."""

    async def serve(websocket: WebSocket) -> None:
        await _serve(websocket, opened)

    routes.router.add_websocket_route(path, serve)


def not_a_socket() -> RefusalError:
    """What a path answers that is for WebSocket clients, when something else asks."""
    return RefusalError(
        RefusalCode.UNSUPPORTED,
        "this path is for WebSocket connections",
        field="Upgrade",
        hint="gw exec -it, gw attach and gw port-forward open them",
    )


async def _serve(websocket: WebSocket, opened: Open) -> None:
    services = websocket.app.state.services
    assert isinstance(services, Services)
    try:
        _check_origin(websocket)
        authorization = websocket.headers.get("authorization", "")
        caller = await services.keyring.authenticate(authorization, address=address_of(websocket))
        with services.accesses.one(), services.revocations.watch(caller.key) as revoked:
            await websocket.accept()
            await _talk(Opened(websocket, services, caller), opened, revoked)
    except RefusalError as error:
        await websocket.send_denial_response(problem(error))
    except WebSocketDisconnect:
        return


def _check_origin(websocket: WebSocket) -> None:
    """A browser says which page opens a connection; a page of elsewhere must not, with its user's credentials."""
    origin = websocket.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != websocket.headers.get("host"):
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            "a page of another origin may not open this connection",
            field="Origin",
        )


async def _talk(one: Opened, opened: Open, revoked: asyncio.Event) -> None:
    of: Talk | None = None
    try:
        of = await opened(one)
        await Pump(one.socket, of).run(one.services.closing, revoked)
    except RefusalError as error:
        await _fail(one.socket, problem_fields(error))
    except TalkError as error:
        detail = f"the connection is not used as it should be: {error}"
        await _fail(one.socket, problem_fields(RefusalError(RefusalCode.INVALID, detail)))
    except BrokenPipeError:
        detail = "the node does not answer any more"
        await _fail(one.socket, problem_fields(RefusalError(RefusalCode.UNAVAILABLE, detail)))
    except (WebSocketDisconnect, asyncio.CancelledError):
        raise
    except Exception:
        number = clock.entropy(ID_BYTES).hex()
        log.exception("a connection failed", extra={"request_id": number})
        await _fail(one.socket, internal_fields(number))
    finally:
        if of is not None:
            await of.close()


async def _fail(socket: WebSocket, fields: dict[str, Any]) -> None:
    """Tell what is wrong, and close."""
    code = talk.CLOSE_PROBLEM + fields["status"]
    reason = fields["detail"].encode()[: talk.REASON_BYTES_MAX].decode(errors="ignore")
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(talk.text_of("problem", fields))
        await socket.close(code, reason)
