"""Logs: one JSON object a line, and no secret in any of them."""

import json
import logging
import logging.handlers
import re
import traceback
from pathlib import Path
from typing import Any

BYTES_MAX = 16 * 1024 * 1024
BACKUPS = 3
MESSAGE_CHARS_MAX = 16_384

_SECRETS = re.compile(
    r"\b(?:gwr?_[A-Za-z0-9_.-]{16,})"  # our own keys and rank tokens
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<=://)[^/\s:@\"]+:[^/\s@\"]+(?=@)"  # user:password in a URL
)
QUIET = ("httpx2", "websockets")  # every request of the proxy to a workspace, with its address
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redacted(text: str) -> str:
    """The text without API keys, bearer tokens, and passwords in URLs."""
    return _SECRETS.sub("[redacted]", text)


class JsonLines(logging.Formatter):
    """`at_ms`, `level`, `logger`, `message`, what was passed as `extra`, and the traceback of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at_ms": int(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MESSAGE_CHARS_MAX],
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return redacted(json.dumps(line, default=repr))


def setup_logging(path: Path, *, level: int = logging.INFO) -> logging.Handler:
    """Send every log of this process to `path`, which is rotated; the handler, for closing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=BYTES_MAX, backupCount=BACKUPS, encoding="utf-8"
    )
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.setLevel(level)
    root.addHandler(handler)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # the API counts and logs requests itself
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    return handler
