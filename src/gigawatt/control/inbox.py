"""Writes on their way to the leader: a bounded queue in memory, acknowledged after the commit that holds them.

The same idempotency key asked for again, while the first is under way or later, gets the first one's answer.
"""

import asyncio
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from gigawatt.control.cycle import Asked
from gigawatt.model.audit import AuditNote
from gigawatt.model.change import Entity, Receipt
from gigawatt.model.command import Command
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.turn import entity_id
from gigawatt.service.ports import ReceiptRequest
from gigawatt.store.base import Store
from gigawatt.store.codec import KINDS

WAITING_MAX = 10_000  # writes that may wait for a commit; more are refused with 503
GROUP_MAX = 500  # writes that one commit takes


@dataclass(slots=True, kw_only=True)
class Ticket:
    number: int
    command: Command
    receipt: ReceiptRequest | None
    note: AuditNote | None
    answer: "asyncio.Future[Entity]"


@dataclass(slots=True, kw_only=True)
class Inbox:
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _waiting: list[Ticket] = field(default_factory=list[Ticket])
    _by_key: dict[tuple[str, str], Ticket] = field(default_factory=dict[tuple[str, str], Ticket])
    _open: dict[int, Ticket] = field(default_factory=dict[int, Ticket])  # not answered yet

    def add(
        self, command: Command, receipt: ReceiptRequest | None, note: AuditNote | None = None
    ) -> "asyncio.Future[Entity]":
        """The answer to come. Raises RefusalError when too many wait, or a key is used for two requests."""
        if receipt is not None:
            under_way = self._by_key.get((receipt.tenant, receipt.key))
            if under_way is not None:
                assert under_way.receipt is not None
                check_same(under_way.receipt.request_sha256, receipt)
                return under_way.answer
        if len(self._waiting) >= WAITING_MAX:
            raise RefusalError(
                RefusalCode.UNAVAILABLE,
                f"{WAITING_MAX} writes already wait",
                hint="try again in a second",
            )
        ticket = Ticket(
            number=next(self._numbers),
            command=command,
            receipt=receipt,
            note=note,
            answer=asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(ticket)
        self._open[ticket.number] = ticket
        if receipt is not None:
            self._by_key[receipt.tenant, receipt.key] = ticket
        return ticket.answer

    def take(self) -> list[Ticket]:
        """The next group, oldest first."""
        group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        return group

    @property
    def empty(self) -> bool:
        return not self._waiting

    def settle(self, ticket: Ticket, reply: Entity | RefusalError) -> None:
        """Give the answer, to everyone who waits for it."""
        self._open.pop(ticket.number, None)
        if ticket.receipt is not None:
            self._by_key.pop((ticket.receipt.tenant, ticket.receipt.key), None)
        if ticket.answer.done():
            return
        if isinstance(reply, RefusalError):
            ticket.answer.set_exception(reply)
            ticket.answer.exception()  # whoever asked may have left: not an error of ours
        else:
            ticket.answer.set_result(reply)

    def close(self) -> None:
        """The leader ends: nobody is left waiting. Some of these writes may have been committed."""
        self._waiting = []
        for ticket in tuple(self._open.values()):
            self.settle(
                ticket,
                RefusalError(
                    RefusalCode.UNAVAILABLE,
                    "the control plane stopped before it could say that this was done",
                    hint="ask again with the same Idempotency-Key: it is done once at most",
                ),
            )


def check_same(request_sha256: str, receipt: ReceiptRequest) -> None:
    """Refuse a key that was used for another request."""
    if request_sha256 != receipt.request_sha256:
        raise RefusalError(
            RefusalCode.KEY_REUSED,
            f"idempotency key {receipt.key!r} was used for another request",
            field="Idempotency-Key",
            hint="make a new key for a new request",
        )


def asked(tickets: Iterable[Ticket]) -> list[Asked]:
    return [
        Asked(ticket=ticket.number, command=ticket.command, note=ticket.note) for ticket in tickets
    ]


def receipt_of(ticket: Ticket, reply: Entity, *, now_ms: int) -> Receipt | None:
    """What is remembered of an answer: which object it was, read again when it is asked for again."""
    if ticket.receipt is None:
        return None
    return Receipt(
        tenant=ticket.receipt.tenant,
        key=ticket.receipt.key,
        request_sha256=ticket.receipt.request_sha256,
        status=200,
        body=json.dumps({"kind": type(reply).__name__, "id": entity_id(reply)}),
        at_ms=now_ms,
    )


def recall(store: Store, tickets: Iterable[Ticket]) -> dict[int, Entity | RefusalError]:
    """Answers given before under the same keys, by ticket. Blocks."""
    requests = {ticket.number: ticket.receipt for ticket in tickets if ticket.receipt}
    if not requests:
        return {}
    found = store.receipts([(each.tenant, each.key) for each in requests.values()])
    answers: dict[int, Entity | RefusalError] = {}
    for number, request in requests.items():
        receipt = found.get((request.tenant, request.key))
        if receipt is not None:
            answers[number] = _recalled(store, receipt, request)
    return answers


def _recalled(store: Store, receipt: Receipt, request: ReceiptRequest) -> Entity | RefusalError:
    try:
        check_same(receipt.request_sha256, request)
    except RefusalError as refusal:
        return refusal
    named = json.loads(receipt.body)
    entity = store.read(KINDS[named["kind"]], named["id"])
    if entity is None:
        return RefusalError(RefusalCode.NOT_FOUND, f"{named['id']} has been removed since")
    return entity
