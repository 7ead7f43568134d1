"""What is said of an environment that could not be built."""

from gigawatt.model.environment import (
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)

CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because a==1 depends on b<2 and you require b==2, your requirements are unsatisfiable."""
BUILD = """\
error: Failed to build `a==1`
  cause: The build backend returned an error
         [stderr]
         Traceback (most recent call last):
           File "setup.py", line 1, in <module>

         ModuleNotFoundError: No module named 'distutils'
hint: what comes after is not what it printed"""


def failed(message: str) -> Environment:
    return Environment(
        id="env-0123456789abcdef",
        tenant="t",
        project="p",
        spec=EnvironmentSpec(kind=EnvironmentKind.UV),
        phase=EnvironmentPhase.FAILED,
        created_ms=0,
        message=message,
    )


def test_a_conflict_is_told_in_the_resolvers_own_words() -> None:
    assert failed(CONFLICT).failure == CONFLICT


def test_of_what_a_build_tool_printed_the_last_line_is_told_and_where_the_rest_is() -> None:
    assert failed(BUILD).failure.splitlines() == [
        "error: Failed to build `a==1`",
        "  cause: The build backend returned an error",
        "         ModuleNotFoundError: No module named 'distutils'",
        "gw env show env-0123456789abcdef has all of it",
    ]
