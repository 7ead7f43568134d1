"""Templates, schedules and notifications to store, and what they leave behind."""

from gigawatt.model.cause import Cause
from gigawatt.model.change import Entity
from gigawatt.model.environment import Environment
from gigawatt.model.job import JobSpec
from gigawatt.model.notification import Delivery, LabelTerm, Notification
from gigawatt.model.schedule import Fire, FireOutcome, Schedule, SchedulePhase, Timing
from gigawatt.model.template import Template, TemplateVersion


def standing(spec: JobSpec, environment: Environment) -> tuple[Entity, ...]:
    """Templates, schedules and notifications, and what they leave behind."""
    template = Template(
        id="acme/nlp/train",
        tenant="acme",
        project="nlp",
        name="train",
        newest=2,
        digest="sha256:00",
        updated_ms=2,
    )
    made = TemplateVersion(
        id="acme/nlp/train:2",
        tenant="acme",
        project="nlp",
        name="train",
        number=2,
        document="{}",
        at_ms=2,
        by="ada",
    )
    fire = Fire(
        id="sched-1/4",
        tenant="acme",
        project="nlp",
        schedule="sched-1",
        due_ms=4,
        at_ms=5,
        outcome=FireOutcome.STARTED,
        job="job-1",
    )
    return (template, made, schedule(spec, environment), fire, notification(), delivery())


def schedule(spec: JobSpec, environment: Environment) -> Schedule:
    return Schedule(
        id="sched-1",
        tenant="acme",
        project="nlp",
        name="nightly",
        timing=Timing(cron="0 3 * * *", timezone="Europe/Berlin", deadline_s=60),
        spec=spec,
        environment=environment,
        cause=Cause(template="train", template_number=2, parameters=(("lr", "0.1"),)),
        phase=SchedulePhase.ACTIVE,
        created_ms=1,
        owner="ada",
        key="key-1",
        next_ms=5,
        jobs=("job-1",),
    )


def notification() -> Notification:
    return Notification(
        id="notif-1",
        tenant="acme",
        project="nlp",
        name="ops",
        kinds=("job.failed",),
        webhook="https://example.com/hook",
        labels=(LabelTerm(key="team", value="x"), LabelTerm(key="test", negated=True)),
        created_ms=1,
        created_by="ada",
        after_seq=3,
    )


def delivery() -> Delivery:
    return Delivery(
        id="notif-1/0",
        tenant="acme",
        project="nlp",
        notification="notif-1",
        message="notif-1-4",
        body="{}",
        events=1,
        at_ms=6,
    )
