"""Templates: push, list, show, delete, and submit jobs that are made of them."""

import json
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from gigawatt.model.cause import Cause
from gigawatt.model.change import Entity
from gigawatt.model.order import DeleteTemplate, PushTemplate
from gigawatt.model.refusal import Fault, RefusalError
from gigawatt.model.template import Template
from gigawatt.model.tenant import Caller
from gigawatt.service import jobs
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.standing import ACTIVE, find_template, numbered
from gigawatt.service.submissions import check_bundle
from gigawatt.service.views.jobs import DryRunView, JobView
from gigawatt.service.views.standing import TemplateView, template_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.faults import refusal
from gigawatt.spec.merge import merged
from gigawatt.spec.names import NAME_HINT, NAME_PATTERN
from gigawatt.spec.parameters import text_of
from gigawatt.spec.parse import JobDraft, job_from
from gigawatt.spec.placeholders import checked, filled
from gigawatt.spec.standing import FillingForm


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledJob:
    """A job that a template made, and what it is to remember of that."""

    draft: JobDraft
    cause: Cause


@verb
async def put(
    caller: Caller,
    services: Services,
    name: str,
    file: dict[str, Any],
    *,
    project: str,
    terms: Terms,
) -> TemplateView:
    """The file as the newest version under this name. Raises RefusalError for what no job can be made of."""
    tenant, project = home(caller, project)
    _check_name(name)
    _check_file(file)
    bundle = file.get("bundle", "")
    await check_bundle(services, tenant, bundle if isinstance(bundle, str) else "")
    document = json.dumps(file, sort_keys=True)

    async def write() -> Entity:
        command = PushTemplate(
            tenant=tenant,
            project=project,
            by=caller.name,
            name=name,
            document=document,
            digest=f"sha256:{sha256(document.encode()).hexdigest()}",
        )
        return await services.leader.submit(command, receipt=terms.receipt(tenant))

    template = await once(Template, services, terms, tenant, write)
    return template_view(template, await numbered(services, template, 0))


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[TemplateView]:
    """Templates, the one that was changed last first; without their files."""
    query = replace(filters.query(caller), phases=ACTIVE)
    found = await services.read(lambda: services.store.page(Template, query))
    return PageView(items=[template_view(each) for each in found.items], next=found.next)


@verb
async def show(
    caller: Caller, services: Services, name: str, *, number: int = 0, project: str = ""
) -> TemplateView:
    """A template with its parameters and its file; 0 is its newest version."""
    template = await find_template(caller, services, name, project)
    return template_view(template, await numbered(services, template, number))


@verb
async def remove(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> None:
    """Nothing more is made of it; jobs and schedules that were stay as they are."""
    template = await find_template(caller, services, name, project)
    terms.check(template.version)
    command = DeleteTemplate(id=template.id, by=caller.name)
    await services.leader.submit(command, receipt=terms.receipt(template.tenant))


@verb
async def submit(
    caller: Caller,
    services: Services,
    name: str,
    request: FillingForm,
    *,
    project: str,
    terms: Terms,
) -> JobView:
    """A new job, made of a template. Raises RefusalError for a parameter that is not allowed, with what is."""
    job = await filled_job(caller, services, name, request, project)
    return await jobs.submit(
        caller, services, job.draft, project=project, terms=terms, cause=job.cause
    )


@verb
async def dry_run(
    caller: Caller, services: Services, name: str, request: FillingForm, *, project: str
) -> DryRunView:
    """What would become of a job that is made of a template."""
    job = await filled_job(caller, services, name, request, project)
    return await jobs.dry_run(caller, services, job.draft, project=project)


async def filled_job(
    caller: Caller, services: Services, name: str, request: FillingForm, project: str
) -> FilledJob:
    """The job that a template means with these values, and changes over it. Raises RefusalError."""
    template = await find_template(caller, services, name, project)
    version = await numbered(services, template, request.number)
    found = filled(json.loads(version.document), request.parameters)
    fields = merged(found.data, request.changes)
    fields.setdefault("name", name)
    cause = Cause(
        template=name,
        template_number=version.number,
        parameters=tuple(sorted((key, text_of(each)) for key, each in found.values.items())),
    )
    return FilledJob(draft=job_from(fields), cause=cause)


def _check_name(name: str) -> None:

    if not re.fullmatch(NAME_PATTERN, name):
        detail = f"name is not allowed: {name[:100]!r}"
        raise refusal([Fault(field="name", detail=detail, hint=NAME_HINT)])


def _check_file(file: dict[str, Any]) -> None:
    """Where every parameter has a default, the job that they make is parsed too. Raises RefusalError."""
    try:
        known = checked(file)
        if all(each.default is not None for each in known.values()):
            fields = filled(file, {}).data
            fields.setdefault("name", "job")
            job_from(fields)
    except RefusalError as error:
        raise _in_file(error) from error


def _in_file(error: RefusalError) -> RefusalError:
    """The same refusal: fields are those of the file."""
    faults = error.faults or (Fault(field=error.field, detail=error.detail, hint=error.hint),)
    placed = [replace(each, field=f"file.{each.field}") for each in faults]
    return refusal(placed, code=error.code)
