"""Labels of jobs, changed after they were submitted."""

from gigawatt.model.change import Entity
from gigawatt.model.job import Job
from gigawatt.model.order import LabelJob
from gigawatt.model.tenant import Caller
from gigawatt.service.jobs import live_view
from gigawatt.service.lookup import find_job
from gigawatt.service.permissions import verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.jobs import JobView
from gigawatt.spec.standing import LabelsForm


@verb
async def change(
    caller: Caller,
    services: Services,
    reference: str,
    request: LabelsForm,
    *,
    project: str,
    terms: Terms,
) -> JobView:
    """Give a job labels and take some from it, whether it runs or has ended."""
    job = await find_job(caller, services, reference, project)

    async def write() -> Entity:
        command = LabelJob(
            job=job,
            by=caller.name,
            put=tuple(sorted(request.put.items())),
            remove=tuple(dict.fromkeys(request.remove)),
            if_version=terms.check(job.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(job.tenant))

    return live_view(services, await once(Job, services, terms, job.tenant, write))
