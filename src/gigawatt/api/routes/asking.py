"""What would happen: /v1/ask."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Place
from gigawatt.api.replies import reply
from gigawatt.service import asking
from gigawatt.service.views.asking import AskView
from gigawatt.spec.asking import AskForm, parse_question

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/ask",
    Operation(
        verb="asking.ask",
        summary="Say what would become of a gang, and submit nothing",
        responds=AskView,
        accepts=AskForm,
    ),
)
async def ask(call: Call, query: Place) -> Response:
    question = parse_question(await call.body())
    return reply(await asking.ask(call.caller, call.services, question, project=query.project))
