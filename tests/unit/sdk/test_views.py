"""What the SDK says that the API answers is what the API answers: every field of every view, and which may be null."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from types import ModuleType, NoneType
from typing import Any, get_args, get_type_hints, is_typeddict

import pytest

import gigawatt.sdk
import gigawatt.service.views

OWN = frozenset({"Page", "ComparisonView", "DifferenceView", "SideView", "JobOptions", "LineView"})
"""What the SDK makes itself, or what is no dataclass at the API."""


def classes(package: ModuleType) -> Iterator[type[Any]]:
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        for each in vars(module).values():
            if isinstance(each, type) and each.__module__ == module.__name__:
                yield each


ANSWERED = {each.__name__: each for each in classes(gigawatt.service.views) if is_dataclass(each)}
SAID = [each for each in classes(gigawatt.sdk) if is_typeddict(each) and each.__name__ not in OWN]


def fields(view: type[Any]) -> dict[str, bool]:
    """Whether each field may be null."""
    return {name: NoneType in get_args(hint) for name, hint in get_type_hints(view).items()}


@pytest.mark.parametrize("said", SAID, ids=lambda each: each.__name__)
def test_a_view_of_the_sdk_is_the_apis_own(said: type[Any]) -> None:
    assert fields(said) == fields(ANSWERED[said.__name__])


def test_there_are_views_to_compare() -> None:
    assert len(SAID) > 40
