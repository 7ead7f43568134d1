"""Who signs in by whom: the operator's file of OpenID providers, and of the roles that their claims give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Role
from gigawatt.spec.faults import faults_of, refusal, wrong
from gigawatt.spec.fields import FORM, Name, SomeSeconds, Text

PROVIDERS_MAX = 8
RULES_MAX = 500
GIVEN = frozenset(Role) - {Role.RANK, Role.GATEWAY}
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SESSION_S = 12 * 3_600
IDLE_S = 3_600


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not safe or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise wrong("must be an https URL without query, fragment or user name")
    return value


def _role(value: str) -> str:
    if value not in GIVEN:
        raise wrong(f"must be one of {', '.join(sorted(GIVEN))}")
    return value


class RuleForm(BaseModel):
    """Who has all of these claims is this, there. A claim that is a list has what is in it."""

    model_config = FORM
    when: Annotated[dict[str, str], Field(min_length=1, max_length=16)]
    role: Annotated[str, AfterValidator(_role)]
    tenant: Name = "default"
    project: Name | None = None


class ProviderForm(BaseModel):
    model_config = FORM
    name: Name
    issuer: Annotated[str, Field(max_length=1_024), AfterValidator(_issuer)]
    client_id: Text
    client_secret_file: Text = ""
    cli_client_id: Text = ""
    scopes: Annotated[list[Text], Field(max_length=16)] = ["profile", "email"]
    called: Text = "email"
    ca_file: Text = ""
    session: SomeSeconds = SESSION_S
    idle: SomeSeconds = IDLE_S
    rules: Annotated[list[RuleForm], Field(min_length=1, max_length=RULES_MAX)]


class SignInForm(BaseModel):
    """`url` is where browsers find the API; empty for the address that it listens on."""

    model_config = FORM
    url: Text = ""
    providers: Annotated[list[ProviderForm], Field(min_length=1, max_length=PROVIDERS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an account is here."""

    tenant: str
    project: str  # empty: every project of the tenant
    role: Role


def parse_sign_in(data: object) -> SignInForm:
    """Raises RefusalError with every fault found."""
    try:
        form = SignInForm.model_validate(data)
    except ValidationError as error:
        raise refusal(faults_of(error, SignInForm)) from error
    for what in ("name", "issuer"):
        values = [getattr(each, what) for each in form.providers]
        if len(set(values)) < len(values):
            detail = f"two providers have the same {what}"
            raise RefusalError(RefusalCode.INVALID, detail, field=f"providers.{what}")
    return form


def standing_of(provider: ProviderForm, claims: Mapping[str, Any]) -> Standing | None:
    """What the first rule that fits says; None where none does: then the account is nobody here."""
    for rule in provider.rules:
        if all(_has(claims.get(claim), wanted) for claim, wanted in rule.when.items()):
            return Standing(tenant=rule.tenant, project=rule.project or "", role=Role(rule.role))
    return None


def _has(value: object, wanted: str) -> bool:
    if isinstance(value, list):
        return wanted in value
    if isinstance(value, bool):
        return wanted == str(value).lower()
    return isinstance(value, str) and value == wanted


def verified(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims without an e-mail address that the provider does not vouch for."""
    if claims.get("email_verified") is True:
        return dict(claims)
    return {name: value for name, value in claims.items() if name != "email"}
