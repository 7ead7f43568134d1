"""A process that builds one environment: `python one_build.py SITE REQUIREMENT...`."""

import asyncio
import json
import os
import sys
from pathlib import Path

from gigawatt.build.environments import EnvironmentBuilder, environment_id
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec


def main(place: Path, requirements: tuple[str, ...]) -> None:
    spec = EnvironmentSpec(kind=EnvironmentKind.UV, requirements=requirements)
    builder = EnvironmentBuilder(
        place / "environments", cache=place / "cache", environ=dict(os.environ)
    )
    stages: list[str] = []
    built = asyncio.run(
        builder.build(environment_id("acme", spec), spec, lambda stage, _: stages.append(stage))
    )
    sys.stdout.write(json.dumps({"path": str(built.path), "stages": stages}))


main(Path(sys.argv[1]), tuple(sys.argv[2:]))
