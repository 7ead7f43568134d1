"""Secrets as a job names them: `HF_TOKEN: hub-token`, or `TLS_KEY: {secret: tls-key, into: file}`."""

import re
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.refusal import Fault
from gigawatt.model.secret import Into, SecretUse
from gigawatt.spec import limits, names
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import FORM
from gigawatt.spec.units import shown

NAME_OF_ONE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
FILE_SUFFIX = "_FILE"  # of the variable that says where a secret's file is
_NAME = re.compile(NAME_OF_ONE)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        hint = "write the name of a secret; its value is kept by: gw secrets set NAME"
        raise wrong("is no name of a secret", hint)  # not repeated: it may be the secret itself
    return value


class SecretForm(BaseModel):
    """A secret of the project by its name, and whether its value is a variable's too or a file's alone."""

    model_config = FORM
    secret: Annotated[
        str,
        AfterValidator(_name),
        WithJsonSchema({"type": "string", "pattern": f"^{NAME_OF_ONE}$"}),
    ]
    into: Literal["env", "file"] = "env"


def _as_secrets(value: object) -> object:
    if not isinstance(value, dict):
        raise wrong("must be a mapping of variables to secrets", "write HF_TOKEN: hub-token")
    named = cast("dict[str, object]", value)
    return {
        variable: {"secret": each} if isinstance(each, str) else each
        for variable, each in named.items()
    }


Secrets = Annotated[
    dict[str, SecretForm],
    BeforeValidator(_as_secrets),
    Field(max_length=limits.SECRETS_MAX),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": "string", "pattern": f"^{NAME_OF_ONE}$"},
                    SecretForm.model_json_schema(),
                ]
            },
            "maxProperties": limits.SECRETS_MAX,
            "description": "Variables that lead ranks to secrets: NAME: SECRET, or "
            "NAME: {secret: SECRET, into: file}.",
        }
    ),
]


def uses_of(forms: dict[str, SecretForm]) -> tuple[SecretUse, ...]:
    """What was written, as the model has it, by variable."""
    return tuple(
        SecretUse(variable=variable, secret=form.secret, into=Into(form.into))
        for variable, form in sorted(forms.items())
    )


def secret_faults(
    forms: dict[str, SecretForm], env: dict[str, str], *, replica: bool
) -> list[Fault]:
    """Variables that cannot be, or are taken already."""
    found: list[Fault] = []
    for variable in forms:
        field = f"secrets.{shown(variable)[1:-1]}"
        fault = names.env_name_fault(variable, replica=replica)
        if fault:
            found.append(Fault(field=field, detail=f"{field} {fault[0]}", hint=fault[1]))
        path = variable + FILE_SUFFIX
        found += [
            Fault(field=field, detail=f"{field}: env sets {taken} too")
            for taken in sorted({variable, path} & env.keys())
        ]
        if path in forms:
            detail = f"{field}: {path} says where its file is, and cannot be a secret too"
            found.append(Fault(field=field, detail=detail))
    return found
