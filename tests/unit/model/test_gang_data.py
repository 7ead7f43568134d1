"""Replicas and workspaces ask for the data that they mount, as jobs do, so that placement prefers nodes that keep it."""

from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.model.volume import Mount
from gigawatt.model.workspace import Workspace, WorkspacePhase, WorkspaceProgram, WorkspaceSpec

SHAPE = Shape(per_node=Resources(milli_cpu=100))
MOUNTS = (
    Mount(volume="b", path="b", number=1, digest="sha256:bb", size_bytes=2),
    Mount(volume="a", path="a", number=3, digest="sha256:aa", size_bytes=1),
    Mount(volume="scratch", path="out", source="/mnt/x", writable=True),
)
DATA = (("sha256:aa", 1), ("sha256:bb", 2))


def test_a_replica_asks_for_the_versions_of_the_spec_that_it_was_made_for() -> None:
    replica = Replica(
        id="r",
        endpoint="e",
        tenant="t",
        project="p",
        shape=SHAPE,
        priority=0,
        queued_ms=0,
        volumes=MOUNTS,
    )
    assert replica.gang().data == DATA


def test_a_workspace_asks_for_the_versions_that_it_was_made_with() -> None:
    spec = WorkspaceSpec(
        name="lab",
        program=WorkspaceProgram.SHELL,
        shape=SHAPE,
        environment="host",
        home="/homes/lab",
        volumes=MOUNTS,
    )
    workspace = Workspace(
        id="ws",
        tenant="t",
        project="p",
        spec=spec,
        phase=WorkspacePhase.QUEUED,
        created_ms=0,
        queued_ms=0,
        created_by="me",
    )
    assert workspace.gang().data == DATA
