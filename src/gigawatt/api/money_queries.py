"""Query parameters of prices, invoices, costs and budgets."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from gigawatt.api.queries import STRICT, SumQuery, Word
from gigawatt.service.costs import CostFilter


class CheckQuery(BaseModel):
    """With `dry_run`, nothing is made: the answer is what would be, and what would have no price."""

    model_config = STRICT
    dry_run: bool = False


class TenantQuery(BaseModel):
    """Of which tenant: the caller's own where none is named."""

    model_config = STRICT
    tenant: Word = ""


class DownloadQuery(BaseModel):
    """Of which tenant, and in which form."""

    model_config = STRICT
    tenant: Word = ""
    format: Literal["text", "html", "csv", "focus", "parquet"] = "text"


class UnitQuery(BaseModel):
    """The time of which devices."""

    model_config = STRICT
    unit: Literal["gpu", "cpu"] = "gpu"


class CostQuery(SumQuery):
    """Whose costs, of which days of UTC (this month where none are named), and by what they are summed."""

    def filter(self) -> CostFilter:
        return CostFilter(
            by=tuple(self.by) or ("project",),
            tenant=self.tenant,
            project=self.project,
            since_ms=self.since,
            until_ms=self.until,
        )


class BudgetQuery(BaseModel):
    """Whose budget: a project's, or without one the tenant's."""

    model_config = STRICT
    tenant: Annotated[str, Field(max_length=63)] = ""
    project: Annotated[str, Field(max_length=63)] = ""


Checking = Annotated[CheckQuery, Query()]
OfTenant = Annotated[TenantQuery, Query()]
Download = Annotated[DownloadQuery, Query()]
OfUnit = Annotated[UnitQuery, Query()]
Costs = Annotated[CostQuery, Query()]
OfBudget = Annotated[BudgetQuery, Query()]
