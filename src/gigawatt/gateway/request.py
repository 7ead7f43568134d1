"""One request of a client, as it came over the wire."""

from typing import TYPE_CHECKING

from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.head import Headers

if TYPE_CHECKING:
    from gigawatt.gateway.config import KeyConfig
    from gigawatt.gateway.quotas import Grant
    from gigawatt.gateway.routes import Route


URGENCY_HEADER = b"x-gigawatt-urgency"
URGENCY_MOST = 100


def urgency_of(fields: dict[bytes, bytes]) -> int:
    """What a client says of how urgent its request is beside others of the endpoint: from -100 to 100, 0 if nothing."""
    text = fields.get(URGENCY_HEADER, b"")
    if not text.lstrip(b"-").isdigit() or len(text) > len(str(-URGENCY_MOST)):
        return 0
    return min(max(int(text), -URGENCY_MOST), URGENCY_MOST)


class Request:
    """Filled while it is read; whole once `complete`."""

    __slots__ = (
        "body",
        "body_bytes",
        "complete",
        "fields",
        "grant",
        "head_complete",
        "headers",
        "id",
        "keep_alive",
        "key",
        "method",
        "model",
        "parts",
        "point",
        "refusal",
        "reserved_bytes",
        "route",
        "started_s",
        "target",
        "version",
    )

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.method = b""
        self.target = b""
        self.version = "1.1"
        self.keep_alive = True
        self.headers: Headers = []
        self.fields: dict[bytes, bytes] = {}  # the last of each header, once the head is complete
        self.parts: list[bytes] = []
        self.body_bytes = 0
        self.reserved_bytes = 0  # of the memory for bodies
        self.body = b""
        self.head_complete = False
        self.complete = False
        self.id = b""
        self.refusal: ErrorReply | None = None  # decided before it was complete
        # Set when it is admitted.
        self.route: Route | None = None
        self.key: KeyConfig | None = None
        self.model = ""  # as the client named it
        self.point = 0.0  # in [0, 1): its side, where requests are shared out by weight
        self.grant: Grant | None = None  # its part of what its key and project may have
