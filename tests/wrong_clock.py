"""A host whose clock is wrong, for what is started with this environment: libfaketime (Debian: `libfaketime`)."""

import os
from pathlib import Path

import pytest

REQUIRED = "GIGAWATT_REQUIRE_FAKETIME"  # "1": a missing library is a failure, not a skip
PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
NAME = "libfaketime.so.1"


def wrong_by(seconds: int) -> dict[str, str]:
    """Variables with which the clock is so many seconds ahead. Skips where the library is not there."""
    found = next((path for place in PLACES for path in Path(place).glob(f"**/{NAME}")), None)
    if found is None:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"no {NAME} found")
        pytest.skip(f"no {NAME} found (Debian: libfaketime)")
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
