"""Secrets in a job file: by name, in variables or as files, and never their values."""

import json

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.model.secret import Into, SecretUse
from gigawatt.spec.parse import parse_job


def uses(secrets: object, **fields: object) -> tuple[SecretUse, ...]:
    return parse_job(json.dumps({"command": "x", "secrets": secrets, **fields})).spec.secrets


def test_a_name_is_short_for_a_variable() -> None:
    assert uses({"HF_TOKEN": "hub", "KEY": {"secret": "tls.key", "into": "file"}}) == (
        SecretUse(variable="HF_TOKEN", secret="hub", into=Into.ENV),
        SecretUse(variable="KEY", secret="tls.key", into=Into.FILE),
    )


@pytest.mark.parametrize(
    ("secrets", "env", "said"),
    [
        ({"RANK": "hub"}, {}, "secrets.RANK is set by gigawatt itself"),
        ({"GIGAWATT_TOKEN": "hub"}, {}, "secrets.GIGAWATT_TOKEN is set by gigawatt itself"),
        ({"a-b": "hub"}, {}, "secrets.a-b is not a name for an environment variable"),
        ({"../x": "hub"}, {}, "secrets.../x is not a name for an environment variable"),
        ({"T": "hub"}, {"T": "1"}, "secrets.T: env sets T too"),
        ({"T": "hub"}, {"T_FILE": "1"}, "secrets.T: env sets T_FILE too"),
        ({"T": "hub", "T_FILE": "b"}, {}, "secrets.T: T_FILE says where its file is"),
        (["T"], {}, "secrets must be a mapping of variables to secrets"),
        ({"T": {"secret": "hub", "into": "argv"}}, {}, "secrets.T.into"),
    ],
)
def test_what_cannot_be_is_refused(secrets: object, env: dict[str, str], said: str) -> None:
    with pytest.raises(RefusalError) as refused:
        uses(secrets, env=env)
    assert said in refused.value.detail


def test_a_value_in_the_place_of_a_name_is_not_repeated() -> None:
    with pytest.raises(RefusalError) as refused:
        uses({"T": "hf_s3cret/+="})
    assert "s3cret" not in str([refused.value.detail, refused.value.hint, refused.value.faults])
