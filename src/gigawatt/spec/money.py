"""Forms of money: the price book, agreements, postings, closing a month, budgets. Amounts are decimals, written as text or as
whole numbers; a floating point number is refused, because what was written is not what it holds.
"""

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from gigawatt.model.budget import GRACE_MS_MAX, THRESHOLDS, THRESHOLDS_MAX
from gigawatt.model.prices import (
    NAMES_MAX,
    PLACES_MAX,
    Meter,
    Plan,
    Price,
    Rate,
    Tier,
)
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import FORM, Moment, Name, Seconds, Text
from gigawatt.spec.units import shown

DIGITS_MAX = 15
AMOUNT = re.compile(rf"-?[0-9]{{1,{DIGITS_MAX}}}(\.[0-9]{{1,{PLACES_MAX}}})?")
CURRENCY_PATTERN = r"^[A-Z]{3}$"
MONTH_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
SKU_CHARS_MAX = 200
HINT = 'write it as text, e.g. "2.35"'


def amount(value: object) -> Decimal:
    """A decimal as it is written."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise wrong(f"must be a decimal in quotes, got {shown(value)}", HINT)
    text = str(value)
    if not AMOUNT.fullmatch(text):
        raise wrong(f"is no amount of money: {shown(value)}", HINT)
    return Decimal(text)


def _not_negative(value: object) -> Decimal:
    found = amount(value)
    if found < 0:
        raise wrong(f"must not be negative, got {shown(value)}")
    return found


def _percent(value: object) -> Decimal:
    found = _not_negative(value)
    if found > 100:
        raise wrong(f"must be a percentage, 0 to 100, got {shown(value)}")
    return found


_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 10**DIGITS_MAX - 1},
            {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,10})?$"},
        ],
        "examples": ["2.35"],
    }
)
_SIGNED = WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,10})?$"})
_PERCENTAGE = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 100},
            {"type": "string", "pattern": r"^[0-9]{1,2}(\.[0-9]{1,10})?$"},
        ]
    }
)
Money = Annotated[Decimal, BeforeValidator(_not_negative), _SCHEMA]
SignedMoney = Annotated[Decimal, BeforeValidator(amount), _SIGNED]
Percent = Annotated[Decimal, BeforeValidator(_percent), _PERCENTAGE]
Sku = Annotated[str, Field(min_length=1, max_length=SKU_CHARS_MAX)]
Month = Annotated[str, Field(pattern=MONTH_PATTERN)]


class FlexForm(BaseModel):
    """What is set aside costs `holding` while it is not used, and `usage` while it is."""

    model_config = FORM
    holding: Money
    usage: Money


class DeviceForm(BaseModel):
    """For a GPU, or a core, for an hour. A plan that is not named costs what `on_demand` does."""

    model_config = FORM
    on_demand: Money
    reserved: Money | None = None
    spot: Money | None = None
    flex: FlexForm | None = None


class TokensForm(BaseModel):
    """For a million tokens: of prompts, those of them that a cache had, and of completions."""

    model_config = FORM
    prompt: Money
    cached: Money | None = None
    completion: Money


class TierForm(BaseModel):
    model_config = FORM
    below: Percent
    credit: Percent


class PricesForm(BaseModel):
    """Prices by kind of GPU, of a core, of kinds of storage and of models; `*` is of those not named."""

    model_config = FORM
    gpu: Annotated[dict[Sku, DeviceForm], Field(max_length=NAMES_MAX)] = {}
    cpu: DeviceForm | None = None
    storage: Annotated[dict[Literal["volume", "*"], Money], Field(max_length=2)] = {}
    tokens: Annotated[dict[Sku, TokensForm], Field(max_length=NAMES_MAX)] = {}

    def prices(self) -> tuple[Price, ...]:
        """Sorted by what they are of."""
        found = [
            price
            for kind, form in sorted(self.gpu.items())
            for price in _device(Meter.GPU, kind, form)
        ]
        found += _device(Meter.CPU, "cpu", self.cpu) if self.cpu else []
        found += [
            Price(meter=Meter.STORAGE, sku=kind, amount=each) for kind, each in self.storage.items()
        ]
        for model, form in self.tokens.items():
            cached = form.prompt if form.cached is None else form.cached
            found.append(Price(meter=Meter.PROMPT, sku=model, amount=form.prompt))
            found.append(Price(meter=Meter.CACHED, sku=model, amount=cached))
            found.append(Price(meter=Meter.COMPLETION, sku=model, amount=form.completion))
        return tuple(sorted(found, key=lambda price: price.key))


class BookForm(PricesForm):
    """A whole price book. `from` is a midnight of UTC; 0 is the next one, or for the first book the beginning of the month."""

    currency: Annotated[str, Field(pattern=CURRENCY_PATTERN)]
    from_: Annotated[Moment, Field(alias="from")] = 0
    sla: Annotated[list[TierForm], Field(max_length=10)] = []
    note: Text = ""

    @model_validator(mode="after")
    def _some(self) -> "BookForm":
        if not self.prices():
            raise wrong("names no price", "give gpu, cpu, storage or tokens")
        return self

    def tiers(self) -> tuple[Tier, ...]:
        found = (Tier(below=each.below, credit=each.credit) for each in self.sla)
        return tuple(sorted(found, key=lambda tier: tier.below))


class AgreementForm(PricesForm):
    """What a tenant pays instead: a discount in percent, prices in place of the book's, a commitment a month."""

    tenant: Name
    from_: Annotated[Moment, Field(alias="from")] = 0
    until: Moment = 0
    discount: Percent = Decimal(0)
    commitment: Money = Decimal(0)
    note: Text = ""


class PostingForm(BaseModel):
    """Money on a tenant's next invoice: negative gives back. `prepaid` fills its balance instead."""

    model_config = FORM
    tenant: Name
    amount: SignedMoney
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]
    month: Annotated[str, Field(pattern=r"^([0-9]{4}-(0[1-9]|1[0-2]))?$")] = ""
    prepaid: bool = False

    @model_validator(mode="after")
    def _whole(self) -> "PostingForm":
        if not self.amount:
            raise wrong("posts nothing", "give an amount other than 0")
        if self.prepaid and self.amount < 0:
            raise wrong("a payment is not negative", "take money back by an adjustment")
        return self


class ClosingForm(BaseModel):
    """The month to be closed; it is over, and the one after the last that was closed."""

    model_config = FORM
    month: Month


class BudgetForm(BaseModel):
    """A budget of a project, or without one of the tenant. null and 0 are no limit.

    `refuses`: new work is refused once it is spent. `stops`: what runs is told to save, and stopped after `grace`.
    """

    model_config = FORM
    project: Annotated[str, Field(max_length=63)] = ""
    tenant: Annotated[str, Field(max_length=63)] = ""
    amount: Money | None = None
    tokens: Annotated[int, Field(ge=0, le=2**53)] = 0
    thresholds: Annotated[
        list[Annotated[int, Field(ge=1, le=1_000)]], Field(max_length=THRESHOLDS_MAX)
    ] = list(THRESHOLDS)
    refuses: bool = True
    stops: bool = False
    grace: Annotated[Seconds, Field(le=GRACE_MS_MAX // 1_000)] = 0


def _device(meter: Meter, sku: str, form: DeviceForm) -> list[Price]:
    found = [Price(meter=meter, sku=sku, amount=form.on_demand)]
    for plan, price in ((Plan.RESERVED, form.reserved), (Plan.SPOT, form.spot)):
        if price is not None:
            found.append(Price(meter=meter, sku=sku, amount=price, plan=plan))
    if form.flex is not None:
        for rate, price in ((Rate.HOLDING, form.flex.holding), (Rate.USAGE, form.flex.usage)):
            found.append(Price(meter=meter, sku=sku, amount=price, plan=Plan.FLEX, rate=rate))
    return found
