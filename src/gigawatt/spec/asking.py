"""What would become of a gang: the question, in the words of a job file, and its form."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field

from gigawatt.model.gang import Shape
from gigawatt.spec import limits
from gigawatt.spec.faults import refusal
from gigawatt.spec.fields import FORM, Seconds
from gigawatt.spec.gangs import GangForm, shape_of
from gigawatt.spec.parse import gang_faults
from gigawatt.spec.requests import parse_request


class AskForm(BaseModel):
    """What starts together, and what else of a job decides about its place in the line. `timeout` 0 is without limit."""

    model_config = FORM
    gang: GangForm = Field(default_factory=GangForm)
    priority: Annotated[int, Field(ge=-limits.PRIORITY_MAX, le=limits.PRIORITY_MAX)] = 0
    timeout: Seconds = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A gang that nobody has submitted."""

    shape: Shape
    priority: int = 0
    timeout_s: int = 0  # 0 is without limit


def parse_question(body: bytes | str) -> Question:
    """The question in a JSON body. Raises RefusalError with every fault found."""
    form = parse_request(AskForm, body)
    faults = gang_faults(form.gang)
    if faults:
        raise refusal(faults)
    return Question(shape=shape_of(form.gang), priority=form.priority, timeout_s=form.timeout)
