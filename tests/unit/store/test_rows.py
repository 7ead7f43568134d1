"""Every kind of object has a row, and is found by what its users look for."""

from gigawatt.store.codec import KINDS
from gigawatt.store.rows import ROWS, key_of, row
from tests.contract.store import samples, standing_samples


def test_every_kind_has_columns() -> None:
    assert set(ROWS) == set(KINDS.values())


def test_a_key_that_is_revoked_is_not_live() -> None:
    revoked = row(samples.api_key(1, revoked_ms=4))
    assert (revoked["phase"], revoked["live"]) == ("revoked", False)
    active = row(samples.api_key(1))
    assert (active["phase"], active["live"]) == ("active", True)


def test_a_task_of_an_array_is_found_below_it_by_the_name_of_its_spec() -> None:
    job = samples.job(1)
    found = row(job)
    assert (found["id"], found["name"], found["parent"]) == (job.id, job.spec.name, None)
    assert key_of(job) == job.id


def test_a_delivery_is_found_below_its_notification() -> None:
    delivery = standing_samples.delivery()
    assert row(delivery)["parent"] == delivery.notification
