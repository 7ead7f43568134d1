"""One table of who may do what, that no verb gets around."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import gigawatt.service
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Role
from gigawatt.service.permissions import MAY_GIVE, OWN_KEYS, SCOPES, VERBS, home, sees, verb, within


def caller(role: Role = Role.DEVELOPER, *, project: str = "", job: str = "") -> Caller:
    return Caller(name="c", role=role, tenant="t", project=project, job=job)


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(gigawatt.service.__path__):
        yield import_module(f"gigawatt.service.{found.name}")


def public_functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("_") and function.__module__ == module.__name__:
            yield f"{module.__name__.rpartition('.')[2]}.{name}", function


def test_the_verbs_of_the_table_are_the_verbs_of_the_service() -> None:
    checked = {
        name
        for module in modules()
        for name, function in public_functions(module)
        if function.__code__.co_name == "checked"  # what the decorator puts in a verb's place
    }
    assert checked == set(VERBS)


def test_whatever_a_caller_can_ask_of_the_services_is_a_verb() -> None:
    """Helpers of verbs are told by what they are given: they are called with what a verb has resolved."""
    helpers = {
        "lookup.find_job",
        "users.found_user",
        "users.named_tenant",
        "lookup.find_project",
        "lookup.find_array",
        "jobs.resolved",
        "lookup.find_endpoint",
        "lookup.find_environment",
        "lookup.find_workspace",
        "model_lookup.find_model",
        "model_lookup.find_version",
        "models.servable",
        "checkpoints.resolve_origin",
        "volume_lookup.find_dataset",
        "volume_lookup.find_volume",
        "volume_lookup.resolved_mounts",
        "earlier.resolve_after",
        "standing.find_template",
        "standing.find_schedule",
        "standing.find_notification",
        "templates.filled_job",
        "workspace_plans.planned",
    }
    asked = {
        name
        for module in modules()
        for name, function in public_functions(module)
        if list(inspect.signature(function).parameters)[:2] == ["caller", "services"]
    }
    assert asked - helpers == set(VERBS)


def test_a_verb_refuses_a_role_before_it_does_anything() -> None:
    calls: list[Role] = []

    def set_state(caller: Caller) -> None:
        calls.append(caller.role)

    set_state.__module__ = "gigawatt.service.nodes"
    checked = verb(set_state)
    with pytest.raises(RefusalError) as refused:
        checked(caller(Role.DEVELOPER))
    assert refused.value.code is RefusalCode.FORBIDDEN
    assert refused.value.detail == "a key with the role developer may not do nodes.set_state"
    assert refused.value.hint == "it takes one of: operator"
    checked(caller(Role.OPERATOR))
    assert calls == [Role.OPERATOR]


def test_a_function_that_the_table_does_not_know_cannot_be_a_verb() -> None:
    def anything(caller: Caller) -> None: ...

    with pytest.raises(KeyError):
        verb(anything)


def test_viewers_and_auditors_change_nothing() -> None:
    changes = {
        name
        for name, roles in VERBS.items()
        if roles & {Role.VIEWER, Role.AUDITOR} and not _reads(name)
    }
    assert changes == OWN_KEYS


def test_reading_scopes_are_for_what_changes_nothing() -> None:
    assert {SCOPES[name] for name in OWN_KEYS} == {"keys:write", "sessions:write"}
    reading = {name for name, scope in SCOPES.items() if scope.endswith(":read")}
    lookers = {Role.VIEWER, Role.AUDITOR}
    assert {name for name in reading if not lookers & VERBS[name] or not _reads(name)} == set()


def test_ranks_have_no_way_to_nodes_keys_or_other_work() -> None:
    given = {name for name, roles in VERBS.items() if Role.RANK in roles}
    assert {name.partition(".")[0] for name in given} == {
        "artifacts",
        "datasets",
        "checkpoints",
        "environments",
        "explain",
        "instance",
        "jobs",
        "ledger",
        "logs",
        "models",
        "uploads",
        "volumes",
        "watch",
    }
    assert not given & {"jobs.submit", "jobs.cancel", "jobs.page", "endpoints.put"}


def test_nobody_gives_a_role_that_can_do_what_it_cannot() -> None:
    for giver, roles in MAY_GIVE.items():
        for role in roles - {Role.GATEWAY, Role.RANK}:
            missing = {
                name
                for name, may in VERBS.items()
                if role in may and giver not in may and Role.RANK not in may
            }
            assert missing == set(), (giver, role)


@pytest.mark.parametrize(
    ("who", "visible"),
    [
        (caller(), ["t/a", "t/b"]),
        (caller(project="a"), ["t/a"]),
        (caller(Role.OPERATOR), ["t/a", "t/b", "u/a", "u/b"]),
        (caller(Role.OPERATOR, project="a"), ["t/a", "u/a"]),
    ],
)
def test_a_caller_sees_its_tenant_and_its_keys_project(who: Caller, visible: list[str]) -> None:
    places = [("t", "a"), ("t", "b"), ("u", "a"), ("u", "b")]
    assert [f"{tenant}/{project}" for tenant, project in places if sees(who, tenant, project)] == (
        visible
    )


def test_a_rank_sees_no_gang_but_its_own() -> None:
    rank = caller(Role.RANK, project="a", job="job-1")
    assert sees(rank, "t", "a", gang="job-1")
    assert not sees(rank, "t", "a", gang="job-2")


def test_new_objects_are_of_the_callers_project_or_the_default_one() -> None:
    assert home(caller(), "") == ("t", "default")
    assert home(caller(), "a") == ("t", "a")
    assert home(caller(project="a"), "") == ("t", "a")
    with pytest.raises(RefusalError) as refused:
        home(caller(project="a"), "b")
    assert refused.value.code is RefusalCode.FORBIDDEN


def test_lists_stay_within_what_a_caller_sees() -> None:
    assert within(caller(), "", "") == ("t", "")
    assert within(caller(project="a"), "t", "") == ("t", "a")
    assert within(caller(Role.OPERATOR), "", "") == ("", "")
    assert within(caller(Role.OPERATOR), "u", "b") == ("u", "b")
    for tenant, project in (("u", ""), ("", "b")):
        with pytest.raises(RefusalError) as refused:
            within(caller(project="a"), tenant, project)
        assert refused.value.code is RefusalCode.NOT_FOUND


def _reads(name: str) -> bool:
    module, _, function = name.partition(".")
    reading = {
        "check",
        "page",
        "show",
        "content",
        "file_content",
        "files_content",
        "files",
        "show_version",
        "explain",
        "totals",
        "of_job",
        "of_endpoint",
        "of_workspace",
        "tenants",
        "diff",
        "lines",
        "stacks",
        "fires",
        "deliveries",
        "tasks",
        "layout",
        "state",
        "spot",
        "places",
    }
    return module in {"watch", "instance"} or function in reading
