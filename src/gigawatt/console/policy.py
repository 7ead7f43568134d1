"""What a page of ours may load and run: files of this origin, no inline script or style, no markup made from text."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gigawatt.console.navigation import BASE
from gigawatt.telemetry import metrics

log = logging.getLogger(__name__)

REPORT_PATH = "/reports"
REPORT_BYTES_MAX = 16_384
SAID_CHARS_MAX = 300

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types htmx",
        f"report-uri {BASE}{REPORT_PATH}",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def take_report(request: Request) -> Response:
    """A browser tells what a page tried against the policy. Anyone can send one: it is counted, and logged in short."""
    body = await request.body()
    metrics.CONSOLE_REPORTS.inc()
    log.warning("a page went against its policy: %s", _said(body[:REPORT_BYTES_MAX]))
    return Response(status_code=204)


def _said(body: bytes) -> str:
    try:
        report: Any = json.loads(body)["csp-report"]
        said = (
            f"{report['violated-directive']} by {report['blocked-uri']} on {report['document-uri']}"
        )
    except (ValueError, TypeError, KeyError):
        said = "what it says cannot be read"
    return repr(said[:SAID_CHARS_MAX])
