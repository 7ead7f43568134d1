"""Forms of metering: a gateway's report of its counters, and what a key or a project may have."""

from typing import Annotated

from pydantic import BaseModel, Field

from gigawatt.spec.fields import FORM, Text
from gigawatt.spec.requests import Amount, TimeMs

ROWS_REPORTED_MAX = 4_096
SPOOLS_MAX = 1_024  # of one gateway: one for each worker, and those of workers that ended


class TokenRow(BaseModel):
    """One row of a spool: all that was ever counted in it."""

    model_config = FORM
    row: Amount
    hour_ms: TimeMs
    tenant: Text
    project: Text
    key: Text
    model: Text
    endpoint: Text
    requests: Amount
    prompt_tokens: Amount
    cached_tokens: Amount
    completion_tokens: Amount


class TokenReport(BaseModel):
    """The rows of one spool that have changed. `report` counts up; one that is not newer is passed over."""

    model_config = FORM
    spool: Text
    report: Annotated[int, Field(ge=1, le=2**53)]
    rows: Annotated[list[TokenRow], Field(max_length=ROWS_REPORTED_MAX)]
    closed: bool = False


class SpentRequest(BaseModel):
    """From when on, and which spools the gateway that asks counts itself."""

    model_config = FORM
    since_ms: TimeMs = 0
    spools: Annotated[list[Text], Field(max_length=SPOOLS_MAX)] = []


class AllowanceRequest(BaseModel):
    """What may be had of the gateway: 0 is without a limit, and what is not named stays as it is."""

    model_config = FORM
    requests_per_s: Amount | None = None
    tokens_per_min: Amount | None = None
    concurrent: Amount | None = None
    tokens_per_month: Amount | None = None
