"""What a supervisor reads of a stage request, and of the journals of supervisors before it."""

from gigawatt.engine.supervisor.spec import parse_stage, spec_json
from tests.unit.engine.supervisor.test_environ import SPEC


def test_a_spec_is_read_back_as_it_was_written() -> None:
    assert parse_stage(spec_json(SPEC)) == SPEC


def test_a_journal_from_before_launches_named_a_path_is_read() -> None:
    raw = spec_json(SPEC._replace(resume_path="/c/step-7"))
    del raw["resume_path"]
    assert parse_stage(raw) == SPEC._replace(resume_path="")
