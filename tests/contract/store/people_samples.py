"""A user, and what is known of a key's use."""

from gigawatt.model.change import Entity
from gigawatt.model.tenant import Grant, KeyUse, Role, User, UserKind


def people() -> tuple[Entity, ...]:
    return (
        a_user(),
        KeyUse(id="key-1", tenant="acme", project="", used_ms=7, addresses=("10.0.0.1", "::1")),
    )


def a_user() -> User:
    return User(
        id="acme/ada",
        tenant="acme",
        name="ada",
        kind=UserKind.PERSON,
        created_ms=1,
        created_by="root",
        email="ada@acme.example",
        grants=(Grant(project="", role=Role.AUDITOR), Grant(project="nlp", role=Role.DEVELOPER)),
        disabled_ms=3,
    )
