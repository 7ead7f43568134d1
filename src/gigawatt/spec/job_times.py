"""When a job may start and should be done, and what it comes after."""

from collections import Counter

from gigawatt.model.deadline import AtDeadline, Deadline
from gigawatt.model.gang import Window
from gigawatt.model.refusal import Fault
from gigawatt.spec.forms import JobForm


def time_faults(form: JobForm) -> list[Fault]:
    """Times that contradict each other, and what it comes after in more ways than one."""
    found: list[Fault] = []
    ways = Counter([*set(form.after), *set(form.after_failed), *set(form.after_done)])
    for name in sorted(name for name, count in ways.items() if count > 1):
        detail = f"{name} is in more than one of after, after_failed and after_done"
        found.append(Fault(field="after", detail=detail, hint="after_done is however it ends"))
    if form.after_each and form.array is None and not form.sweep:
        detail = "after_each is for the tasks of an array, and this is one job"
        hint = "write `after`, with one task as NAME[3]; or give it an array or a sweep"
        found.append(Fault(field="after_each", detail=detail, hint=hint))
    if form.start_before and form.start_before <= form.start_after:
        detail = "start_before is not later than start_after"
        found.append(Fault(field="start_before", detail=detail))
    if form.deadline and form.finish_within:
        detail = "deadline and finish_within both say by when it should be done"
        found.append(Fault(field="finish_within", detail=detail, hint="write one of them"))
    if form.deadline and form.deadline <= form.start_after:
        detail = "deadline is not later than start_after"
        found.append(Fault(field="deadline", detail=detail))
    if form.at_deadline != "keep" and not (form.deadline or form.finish_within):
        detail = "at_deadline says what happens then, and there is no deadline"
        hint = "write deadline or finish_within too"
        found.append(Fault(field="at_deadline", detail=detail, hint=hint))
    return found


def windows_of(form: JobForm) -> tuple[Window, ...]:
    """When it may start; empty where that is any time."""
    if not (form.start_after or form.start_before):
        return ()
    return (Window(start_ms=form.start_after, end_ms=form.start_before),)


def deadline_of(form: JobForm) -> Deadline | None:
    """By when it should be done."""
    if not (form.deadline or form.finish_within):
        return None
    then = AtDeadline(form.at_deadline)
    return Deadline(at_ms=form.deadline, within_s=form.finish_within, then=then)
