"""Templates: pushed as versions that never change, deleted by name."""

from gigawatt.model.order import DeleteTemplate, PushTemplate
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.template import Template, TemplateVersion
from gigawatt.model.values import replace
from gigawatt.reconcile.projects import check_project, project_id
from gigawatt.reconcile.turn import Turn

TEMPLATES_MAX = 1_000  # of one project


def push(turn: Turn, command: PushTemplate) -> Template:
    """The template with this document as its newest version. The newest one pushed again changes nothing."""
    check_project(turn, command.tenant, command.project)
    key = f"{project_id(command.tenant, command.project)}/{command.name}"
    before = turn.world.templates.get(key)
    if before is not None and before.deleted_ms is None and before.digest == command.digest:
        return before
    if before is None:
        _check_room(turn, command.tenant, command.project)
    number = before.newest + 1 if before else 1
    after = Template(
        id=key,
        tenant=command.tenant,
        project=command.project,
        name=command.name,
        newest=number,
        digest=command.digest,
        updated_ms=turn.now_ms,
        version=before.version if before else 1,
    )
    turn.put(
        TemplateVersion(
            id=f"{key}:{number}",
            tenant=command.tenant,
            project=command.project,
            name=command.name,
            number=number,
            document=command.document,
            at_ms=turn.now_ms,
            by=command.by,
        )
    )
    after = turn.put(after)
    turn.emit("template.pushed", after, f"{command.name}@{number} by {command.by}")
    return after


def delete(turn: Turn, command: DeleteTemplate) -> Template:
    """Jobs and schedules that were made of it stay as they are."""
    template = turn.world.templates.get(command.id)
    if template is None or template.deleted_ms is not None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no template {command.id}")
    after = turn.put(replace(template, deleted_ms=turn.now_ms))
    turn.emit("template.deleted", after, f"{after.name} by {command.by}")
    return after


def _check_room(turn: Turn, tenant: str, project: str) -> None:
    held = sum(
        (each.tenant, each.project) == (tenant, project) for each in turn.world.templates.values()
    )
    if held >= TEMPLATES_MAX:
        detail = f"project {project} has had {TEMPLATES_MAX} names of templates, which is the limit"
        raise RefusalError(RefusalCode.LIMIT, detail)
