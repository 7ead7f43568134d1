"""YAML files: several documents, exact places, and nothing that blows up."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.documents import parse_yaml, read_documents
from gigawatt.spec.parse import EndpointDraft, JobDraft


def refused(text: str) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        parse_yaml(text, "job.yaml")
    return caught.value


def test_a_file_may_hold_several_jobs_and_endpoints() -> None:
    text = "name: a\ncommand: x\n---\n# nothing here\n---\nkind: endpoint\nname: b\nmodel: m\ncommand: y\n"
    job, endpoint = parse_yaml(text, "all.yaml")
    assert isinstance(job, JobDraft)
    assert isinstance(endpoint, EndpointDraft)
    assert (job.spec.name, endpoint.spec.name) == ("a", "b")


def test_a_fault_is_told_with_line_and_column() -> None:
    error = refused("name: a\ncommand: x\ngang:\n  nodes: 2\n  cpus: -1\n")
    assert error.detail == "job.yaml:5:3: gang.cpus must be more than 0, got -1"
    assert error.field == "gang.cpus"


def test_an_unknown_field_points_at_its_key() -> None:
    error = refused("command: x\n\ngang:\n    node: 2\n")
    assert error.code is RefusalCode.UNKNOWN_FIELD
    assert error.detail.startswith("job.yaml:4:5: gang.node is not a known field")
    assert error.hint == "did you mean 'nodes'?"


def test_a_missing_field_points_at_its_parent() -> None:
    error = refused("command: x\nmodel:\n  name: m\n")
    assert error.detail == "job.yaml:2:1: model.path is missing"


def test_a_fault_in_a_list_points_at_the_entry() -> None:
    error = refused("command:\n  - python\n  - 1\n")
    assert error.detail.startswith("job.yaml:3:5: command.1 must be text, got 1")
    assert error.hint == "put it in quotes"


def test_every_fault_has_its_place() -> None:
    error = refused("command: x\npriority: 9999\ntimeout: soon\n")
    places = [fault.detail.split(": ")[0] for fault in error.faults]
    assert places == ["job.yaml:2:1", "job.yaml:3:1"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("command: x\n  foo: [\n", "job.yaml:2:6"),
        ("command: [a, b\n", "job.yaml:2:1"),
        ("command: 'x\n", "job.yaml:2:1"),
        ("\tcommand: x\n", "job.yaml:1:1"),
    ],
)
def test_what_is_no_yaml_is_refused_with_line_and_column(text: str, place: str) -> None:
    error = refused(text)
    assert error.detail.startswith(f"{place}: is not YAML: ")


def test_a_key_given_twice_is_refused_with_both_lines() -> None:
    error = refused("command: x\nname: a\ncommand: y\n")
    assert error.detail == "job.yaml:3:1: 'command' is given twice, first on line 1"


def test_an_unknown_kind_is_refused_with_the_nearest_one() -> None:
    error = refused("name: a\nkind: endpont\n")
    assert (error.detail, error.hint) == (
        "job.yaml:2:1: kind is not known: 'endpont'",
        "did you mean 'endpoint'?",
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    assert refused(text).detail == "job.yaml is empty"


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "5\n"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert refused(text).detail == "job.yaml:1:1: a document must be a mapping of fields"


def test_words_and_times_stay_text() -> None:
    text = "command: x\nenv: {A: on, B: no, C: 1:30, D: 2024-01-01, E: 08, F: 1_000}\n"
    (draft,) = parse_yaml(text, "job.yaml")
    assert dict(draft.spec.env) == {
        "A": "on",
        "B": "no",
        "C": "1:30",
        "D": "2024-01-01",
        "E": "08",
        "F": "1_000",
    }


def test_anchors_and_merges_work() -> None:
    text = "command: x\nx-base: &base {A: '1'}\n"
    assert refused(text).field == "x-base"
    text = "command: x\nenv: &env {A: '1'}\nlabels: {<<: *env, b: c}\n"
    (draft,) = parse_yaml(text, "job.yaml")
    assert draft.spec.labels == (("A", "1"), ("b", "c"))


def test_a_file_that_aliases_would_blow_up_is_refused() -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    assert "holds too much" in refused("\n".join(lines)).detail


def test_a_file_that_holds_itself_is_refused() -> None:
    assert "holds too much" in refused("command: &a [*a]\n").detail


def test_a_tag_that_would_run_code_is_refused() -> None:
    assert "is not YAML" in refused("command: !!python/object/apply:os.system [id]\n").detail


def test_a_file_over_the_limit_is_refused_unread() -> None:
    assert refused("a" * 1_048_577).code is RefusalCode.TOO_LARGE


def test_plain_data_and_places_are_kept_for_the_client() -> None:
    (document,) = read_documents("bundle: .\nenvironment:\n  requirements: [a, b]\n", "f.yaml")
    assert document.data == {"bundle": ".", "environment": {"requirements": ["a", "b"]}}
    place = document.locate("environment.requirements[1]")
    assert (place.line, place.column) == (3, 21)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "any.yaml")
    except RefusalError as error:
        assert error.detail


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=10,
    )
)
def test_any_data_in_any_field_is_parsed_or_refused(value: object) -> None:
    for name in ("command", "gang", "env", "environment", "retries", "after", "model", "timeout"):
        try:
            text = yaml.safe_dump({"command": "x", name: value})  # pyright: ignore[reportUnknownMemberType] - its stub leaves `width` open
            parse_yaml(text, "any.yaml")
        except RefusalError as error:
            assert error.faults or error.detail
