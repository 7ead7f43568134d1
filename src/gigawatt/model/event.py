"""What happened, for people and programs that watch, and the table of all that can happen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`kind` is `subject.what`, e.g. `job.running`. `seq` is 0 until the store has given one."""

    at_ms: int
    kind: str
    tenant: str
    project: str
    subject: str  # the id of what it is about
    message: str = ""
    data: tuple[tuple[str, str], ...] = ()
    seq: int = 0


KINDS: dict[str, str] = {
    "job.submitted": "A job was taken in.",
    "job.queued": "What a job waited for is there: it is in the line.",
    "job.retried": "An ended job was put back in the line by a person.",
    "job.placed": "An attempt at a job was given nodes.",
    "job.running": "Every rank of an attempt has started.",
    "job.rank_failed": "A rank of a job failed.",
    "job.attempt_ended": "An attempt at a job ended; `data.verdict` says how.",
    "job.retrying": "A job goes back in the line after a failed attempt.",
    "job.checkpoint": "A job has a newer valid checkpoint.",
    "job.checkpoints_removed": "Checkpoints of a job were removed, as it keeps only some.",
    "job.checkpoint_stays": "A checkpoint could not be removed.",
    "job.checkpoint_invalid": "A checkpoint is not what it was, and is not resumed from.",
    "job.labelled": "A job was given other labels.",
    "job.cancel_asked": "Someone asked for the end of a job.",
    "job.succeeded": "A job ended well.",
    "job.failed": "A job failed for good.",
    "job.cancelled": "A job was cancelled.",
    "array.submitted": "A job array was taken in.",
    "array.running": "The first tasks of an array are in the line.",
    "array.retried": "Tasks of an ended array run again.",
    "array.cancel_asked": "Someone asked for the end of an array.",
    "array.succeeded": "Every task of an array ended well.",
    "array.failed": "An array ended, and some of its tasks failed.",
    "array.cancelled": "An array was cancelled.",
    "endpoint.created": "An endpoint was made.",
    "endpoint.changed": "An endpoint was given another spec.",
    "endpoint.preparing": "An endpoint waits for its environment.",
    "endpoint.zero": "An endpoint has no replica, and none is wanted.",
    "endpoint.starting": "An endpoint waits for its first replica.",
    "endpoint.ready": "An endpoint answers.",
    "endpoint.failed": "An endpoint's replicas failed too often.",
    "endpoint.replica_failed": "A replica of an endpoint failed.",
    "endpoint.stopping": "An endpoint is being stopped.",
    "endpoint.stopped": "An endpoint is gone.",
    "replica.created": "A replica is wanted.",
    "replica.placed": "A replica was given nodes.",
    "replica.running": "Every rank of a replica has started.",
    "replica.rank_failed": "A rank of a replica failed.",
    "replica.attempt_ended": "An attempt at a replica ended; `data.verdict` says how.",
    "replica.ready": "A replica answers.",
    "replica.unready": "A replica does not answer any more.",
    "replica.ended": "A replica is gone.",
    "environment.building": "An environment is being built.",
    "environment.stage": "The build of an environment went on.",
    "environment.ready": "An environment is built.",
    "environment.failed": "An environment could not be built.",
    "environment.removed": "An environment was removed.",
    "model.registered": "A version of a model was registered.",
    "model.alias": "An alias of a model was moved.",
    "model.card": "A version of a model was given another card.",
    "node.joined": "A node came for the first time.",
    "node.back": "A node answers again.",
    "node.down": "A node does not answer.",
    "node.ready": "A person opened a node again.",
    "node.cordoned": "A person closed a node to new gangs.",
    "node.draining": "A person has a node emptied.",
    "project.created": "A project was made.",
    "key.created": "An API key was made.",
    "key.revoked": "An API key was revoked.",
    "retention.policy": "A project was given another policy of what is kept.",
    "retention.pruned": "What nothing needs any more was removed.",
    "retention.job_removed": "The record of an ended job was removed.",
    "retention.artifact_removed": "A stored artifact was removed.",
    "retention.disk_well": "The disk has room again.",
    "retention.disk_soft": "The disk has little room: caches go.",
    "retention.disk_hard": "The disk is nearly full: nothing new is built or uploaded.",
    "template.pushed": "A template has a new version.",
    "template.deleted": "A template was deleted.",
    "schedule.created": "A schedule was made.",
    "schedule.paused": "A person paused a schedule.",
    "schedule.resumed": "A person had a schedule go on.",
    "schedule.deleted": "A schedule was deleted.",
    "schedule.stopped": "A schedule stopped: whoever it ran for may not submit any more.",
    "schedule.started": "A schedule submitted its job.",
    "schedule.skipped": "A schedule's job was not submitted: an earlier one had not ended.",
    "schedule.missed": "Due times of a schedule passed while nobody was there, or were too late.",
    "schedule.refused": "A schedule's job was refused.",
    "notification.created": "A notification was made.",
    "notification.deleted": "A notification was deleted.",
    "notification.dead": "A message could not be delivered, and was given up.",
}
