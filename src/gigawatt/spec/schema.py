"""JSON schemas of what people write, for editors and the reference."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gigawatt.spec.endpoint_form import EndpointForm
from gigawatt.spec.forms import EnvironmentForm, JobForm

FORMS: dict[str, type[BaseModel]] = {
    "job": JobForm,
    "endpoint": EndpointForm,
    "environment": EnvironmentForm,
}


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON schema of `job`, `endpoint` or `environment`."""
    return FORMS[kind].model_json_schema(mode="validation")


def component_schemas(*forms: type[BaseModel], template: str) -> dict[str, Any]:
    """Schemas of `forms` and of all they hold, by name, with references as `template` writes them."""
    _, document = models_json_schema(
        [(form, "validation") for form in forms], ref_template=template
    )
    schemas: dict[str, Any] = document.get("$defs", {})
    return schemas
