"""The form of a reservation: which nodes, from when to when, and for whom."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from gigawatt.model.power import Supply
from gigawatt.model.reservation import LEAD_MS, NOTICE_MS, RESERVATION_NODES_MAX
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import FORM, Moment, Name, Seconds, SomeSeconds, Text
from gigawatt.spec.power import NAME_CHARS_MAX, SupplyText, supply

HOLDER_PATTERN = r"^([a-z0-9-]{1,63}(/[a-z0-9-]{1,63})?)?$"


class ReservationForm(BaseModel):
    """Nodes by name, or by parts of the site (`LEVEL=NAME`). A `start` of 0 is now; `end`, or `duration` from the start on.

    `holder` is a tenant, or `tenant/project`; empty for maintenance. `notice` is how long before the start those in the
    way are told to save, and `lead` from when on gangs without a limit are not let in any more. `plan` is how its holder is charged: the same
    whether used or not, or flex.
    """

    model_config = FORM
    name: Name
    nodes: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)]],
        Field(max_length=RESERVATION_NODES_MAX),
    ] = []
    parts: Annotated[list[SupplyText], Field(max_length=RESERVATION_NODES_MAX)] = []
    start: Moment = 0
    end: Moment = 0
    duration: Seconds = 0
    holder: Annotated[str, Field(pattern=HOLDER_PATTERN)] = ""
    reason: Text = ""
    notice: Seconds = NOTICE_MS // 1000
    lead: SomeSeconds = LEAD_MS // 1000
    plan: Literal["reserved", "flex"] = "reserved"

    @model_validator(mode="after")
    def _whole(self) -> "ReservationForm":
        if not (self.nodes or self.parts):
            raise wrong("names no nodes", "give `nodes`, or `parts` as rack=r7")
        if bool(self.end) == bool(self.duration):
            raise wrong("must have either `end` or `duration`", "write for example duration: 4h")
        if self.end and self.end <= self.start:
            raise wrong("ends before it starts")
        return self

    def supplies(self) -> tuple[Supply, ...]:
        """The parts of the site, sorted."""
        return tuple(sorted({supply(each) for each in self.parts}))
