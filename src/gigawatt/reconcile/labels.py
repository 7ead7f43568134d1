"""Labels of a job, changed after it was submitted: also when it runs, and when it has ended."""

from gigawatt.model.job import Job
from gigawatt.model.order import LabelJob
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile.turn import Turn
from gigawatt.spec.limits import LABELS_MAX


def change(turn: Turn, command: LabelJob) -> Job:
    """Refused where a label that is to go is not there, or there would be too many."""
    job = turn.world.jobs.get(command.job.id, command.job)
    if not job.ended and job.id not in turn.world.jobs:
        detail = f"job {job.id} has ended while its labels were changed"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="ask again")
    labels = dict(job.spec.labels)
    for name in command.remove:
        if labels.pop(name, None) is None:
            held = ", ".join(sorted(labels)) or "none"
            detail = f"job {job.id} has no label {name}; it has: {held}"
            raise RefusalError(RefusalCode.NOT_FOUND, detail, field="remove")
    labels |= dict(command.put)
    if len(labels) > LABELS_MAX:
        detail = f"job {job.id} would have {len(labels)} labels, over the limit of {LABELS_MAX}"
        raise RefusalError(RefusalCode.INVALID, detail, field="labels")
    spec = replace(job.spec, labels=tuple(sorted(labels.items())))
    if spec == job.spec:
        return job
    after = turn.put(replace(job, spec=spec))
    said = " ".join([*(f"{k}={v}" for k, v in command.put), *(f"-{k}" for k in command.remove)])
    turn.emit("job.labelled", after, f"{said} by {command.by}")
    return after
