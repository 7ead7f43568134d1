"""Secrets on disk: sealed for their place, opened by their keys alone, through every change of those."""

import json
import sys
from pathlib import Path

import pytest

from gigawatt.build.secrets import KEYS, Secret, SecretFiles, open_secrets
from gigawatt.build.wrapping import held_keys
from gigawatt.model.refusal import RefusalCode, RefusalError

VALUE = "s3cret-value-77"
OWNER, OTHER = "acme/vision", "acme/speech"
HSM = """
import base64, json, sys
asked = json.load(sys.stdin)
key = base64.b64decode(asked["key"])
mask = (json.dumps(asked["place"]).encode() * 32)[:32]
print(json.dumps({"key": base64.b64encode(bytes(a ^ b for a, b in zip(key, mask))).decode()}))
"""


def secret(name: str = "hub", value: str = VALUE) -> Secret:
    return Secret(name=name, url="", value=value)


def everything(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file())


def refusal_of(files: SecretFiles, owner: str = OWNER, name: str = "hub") -> RefusalError:
    with pytest.raises(RefusalError) as refused:
        files.read(owner, name)
    return refused.value


def test_what_is_kept_is_read_again_and_shows_nowhere(tmp_path: Path) -> None:
    files = open_secrets(tmp_path, "", {})
    files.put(OWNER, secret())
    assert open_secrets(tmp_path, "", {}).read(OWNER, "hub") == secret()
    assert VALUE.encode() not in everything(tmp_path)
    assert VALUE not in repr(secret())
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_a_record_opens_in_its_own_place_alone(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path, held_keys())
    for owner, name in ((OWNER, "hub"), (OWNER, "other"), (OTHER, "hub")):
        files.put(owner, secret(name, f"{owner} {name} value"))
    ours = tmp_path / OWNER / "hub.json"
    before = ours.read_bytes()
    for swapped in (tmp_path / OWNER / "other.json", tmp_path / OTHER / "hub.json"):
        ours.write_bytes(swapped.read_bytes())
        refused = refusal_of(files)
        assert refused.code is RefusalCode.DIGEST_MISMATCH
        assert "the secret hub of acme/vision is damaged, or is not the one" in refused.detail
    ours.write_bytes(before)
    (tmp_path / OWNER / KEYS).write_bytes((tmp_path / OTHER / KEYS).read_bytes())
    fresh = SecretFiles(tmp_path, files._wrap)
    assert "the key of the secrets of acme/vision does not open" in refusal_of(fresh).detail
    assert fresh.read(OTHER, "hub").value == "acme/speech hub value"


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"url": "", "value": "plain"}', b"\xff"])
def test_damage_is_told_and_other_secrets_stay(tmp_path: Path, damage: bytes) -> None:
    files = SecretFiles(tmp_path, held_keys())
    files.put(OWNER, secret())
    files.put(OWNER, secret("other"))
    (tmp_path / OWNER / "hub.json").write_bytes(damage)
    assert refusal_of(files).code is RefusalCode.DIGEST_MISMATCH
    assert files.read(OWNER, "other") == secret("other")


def test_every_byte_of_a_record_counts(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path, held_keys())
    files.put(OWNER, secret())
    path = tmp_path / OWNER / "hub.json"
    record = json.loads(path.read_text())
    for name in record:
        first = "B" if record[name][0] != "B" else "C"
        path.write_text(json.dumps({**record, name: first + record[name][1:]}))
        assert refusal_of(files).code is RefusalCode.DIGEST_MISMATCH, name


def test_a_rotation_changes_every_key_and_no_secret(tmp_path: Path) -> None:
    files = open_secrets(tmp_path, "", {})
    for owner in (OWNER, OTHER):
        files.put(owner, secret())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert files.rotate() == 2
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before.keys() == after.keys()
    assert not [path for path in before if before[path] == after[path]]
    for each in (files, open_secrets(tmp_path, "", {})):
        assert {each.read(owner, "hub").value for owner in (OWNER, OTHER)} == {VALUE}
    old = SecretFiles(tmp_path / "secrets", held_keys())
    assert refusal_of(old).code is RefusalCode.DIGEST_MISMATCH


def test_a_reader_of_before_goes_on_after_a_rotation_by_another(tmp_path: Path) -> None:
    wrap = held_keys()
    reader, writer = SecretFiles(tmp_path, wrap), SecretFiles(tmp_path, wrap)
    writer.put(OWNER, secret())
    assert reader.read(OWNER, "hub") == secret()
    writer.rotate()
    assert reader.read(OWNER, "hub") == secret()


def test_a_rotation_that_cannot_finish_loses_nothing(tmp_path: Path) -> None:
    files = open_secrets(tmp_path, "", {})
    for owner in (OWNER, OTHER):
        files.put(owner, secret())
    damaged = tmp_path / "secrets" / OTHER / "hub.json"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"{}")
    with pytest.raises(RefusalError, match="hub of acme/speech is damaged"):
        files.rotate()
    assert open_secrets(tmp_path, "", {}).read(OWNER, "hub") == secret()
    damaged.write_bytes(whole)
    again = open_secrets(tmp_path, "", {})
    assert again.read(OTHER, "hub") == secret()
    assert again.rotate() == 2
    assert len((tmp_path / "secrets.key").read_text().split()) == 1


def test_what_an_earlier_release_kept_plain_is_sealed(tmp_path: Path) -> None:
    place = tmp_path / "secrets" / OWNER
    place.mkdir(parents=True)
    url = "https://pypi.example.com/simple"
    (place / "ci.json").write_text(json.dumps({"url": url, "value": VALUE}))
    (place / "ci.json").chmod(0o600)
    files = open_secrets(tmp_path, "", {})
    assert (files.seal_plain(), files.seal_plain()) == (1, 0)
    assert files.read(OWNER, "ci") == Secret(name="ci", url=url, value=VALUE)
    assert VALUE.encode() not in everything(tmp_path)


def test_a_lost_key_is_never_made_anew_over_what_it_sealed(tmp_path: Path) -> None:
    open_secrets(tmp_path, "", {}).put(OWNER, secret())
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(RefusalError, match="secrets are kept that only it opens") as refused:
        open_secrets(tmp_path, "", {})
    assert "put it back" in refused.value.hint
    assert not (tmp_path / "secrets.key").exists()


def test_a_key_comes_from_a_variable_that_is_taken_away(tmp_path: Path) -> None:
    old, new = "11" * 32, "22" * 32
    environ = {"GIGAWATT_KEK": old}
    files = open_secrets(tmp_path, "env:GIGAWATT_KEK", environ)
    assert environ == {}
    files.put(OWNER, secret())
    both = open_secrets(tmp_path, "env:GIGAWATT_KEK", {"GIGAWATT_KEK": f"{new},{old}"})
    assert both.rotate() == 1
    alone = open_secrets(tmp_path, "env:GIGAWATT_KEK", {"GIGAWATT_KEK": new})
    assert alone.read(OWNER, "hub") == secret()
    assert not (tmp_path / "secrets.key").exists()


def test_a_key_service_is_asked_by_a_program(tmp_path: Path) -> None:
    program = tmp_path / "hsm"
    program.write_text(f"#!{sys.executable}\n{HSM}")
    program.chmod(0o700)
    files = open_secrets(tmp_path / "data", f"command:{program}", {})
    files.put(OWNER, secret())
    again = open_secrets(tmp_path / "data", f"command:{program}", {})
    assert (again.read(OWNER, "hub"), again.rotate()) == (secret(), 1)
    assert open_secrets(tmp_path / "data", f"command:{program}", {}).read(OWNER, "hub") == secret()
    program.write_text("#!/bin/sh\nexit 3\n")
    refused = refusal_of(open_secrets(tmp_path / "data", f"command:{program}", {}))
    assert refused.code is RefusalCode.UNAVAILABLE
    assert "did not unwrap a key: it ended with 3" in refused.detail


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("nonsense", "is not understood"),
        ("file:relative", "is not understood"),
        ("env:HOME", "does not begin with GIGAWATT_"),
        ("env:GIGAWATT_ABSENT", "GIGAWATT_ABSENT, which is not set"),
        ("env:GIGAWATT_SHORT", "GIGAWATT_SHORT holds no such keys"),
        ("command:/no/such/program", "names no program that can be run"),
    ],
)
def test_what_is_wrong_with_the_setting_is_said(tmp_path: Path, setting: str, said: str) -> None:
    with pytest.raises(RefusalError) as refused:
        open_secrets(tmp_path, setting, {"GIGAWATT_SHORT": "abcd"})
    assert said in refused.value.detail
    assert refused.value.field == "secrets_key"
    assert "abcd" not in refused.value.detail


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_secrets(tmp_path, "", {})
    (tmp_path / "secrets.key").chmod(0o640)
    with pytest.raises(RefusalError, match="can be read by others") as refused:
        open_secrets(tmp_path, "", {})
    assert refused.value.hint.startswith("chmod 600 ")
