"""The audit record: /v1/audit."""

from starlette.responses import Response

from gigawatt.api.account_queries import Audit
from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Nothing
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import audit
from gigawatt.service.views.audit import AuditCheckView, AuditView
from gigawatt.service.views.text import PageView

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/audit",
    Operation(
        verb="audit.page",
        summary="List what is on the audit record, newest first",
        responds=PageView[AuditView],
    ),
)
async def list_audit(call: Call, query: Audit) -> Response:
    return page_reply(await audit.page(call.caller, call.services, query.wanted()))


@ROUTES.add(
    "GET",
    "/v1/audit/check",
    Operation(
        verb="audit.check",
        summary="Walk the chain of the audit record, and say whether it is as it was written",
        responds=AuditCheckView,
    ),
)
async def check_audit(call: Call, query: Nothing) -> Response:
    return reply(await audit.check(call.caller, call.services))
