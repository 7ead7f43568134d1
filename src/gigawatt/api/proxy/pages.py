"""The few pages that are the proxy's own: why there is nothing here, and that something is on its way."""

from html import escape

from starlette.responses import Response

from gigawatt.model.workspace import Workspace, WorkspacePhase

REFRESH_S = 1
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{more}
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:20vh auto;max-width:36rem;padding:0 1rem;color:#222}}
code{{background:#eee;padding:.1em .3em}}</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def nothing_here(name: str) -> Response:
    """For who is not let in, and for what is not there: the same."""
    text = f"Come in by a link: <code>gw dev open {escape(name)}</code> prints one."
    return _page(404, "There is no such workspace for you", text)


def used_link(name: str) -> Response:
    text = f"A link works once, within a minute: <code>gw dev open {escape(name)}</code> prints another."
    return _page(403, "This link has been used, or is too old", text)


def from_elsewhere() -> Response:
    return _page(403, "Not from another page", "A workspace answers its own pages alone.")


def not_yet(workspace: Workspace) -> Response:
    """Where it is on its way, a page that looks again by itself; else why it rests, and what to do."""
    name, phase = escape(workspace.spec.name), workspace.phase
    if phase in {WorkspacePhase.SUSPENDED, WorkspacePhase.FAILED}:
        text = f"{escape(workspace.message)}. <code>gw dev start {name}</code> starts it again."
        return _page(503, f"{name} is {phase.value}", text)
    more = f'<meta http-equiv="refresh" content="{REFRESH_S}">'
    return _page(503, f"{name} is {phase.value}", "This page looks again by itself.", more)


def unavailable(workspace: Workspace) -> Response:
    """For what a page asks by itself."""
    text = f"workspace {workspace.spec.name} is {workspace.phase.value}\n"
    headers = {"Cache-Control": "no-store", "Retry-After": str(REFRESH_S)}
    return Response(text, status_code=503, media_type="text/plain", headers=headers)


def _page(status: int, title: str, text: str, more: str = "") -> Response:
    body = _PAGE.format(title=title, text=text, more=more)
    return Response(body, status_code=status, media_type="text/html", headers=_HEADERS)
