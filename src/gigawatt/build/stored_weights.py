"""What stored files are, from their headers: format, parameters, types, architecture, pickles."""

from functools import partial

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.digest import PREFIX
from gigawatt.model.artifact import Weights
from gigawatt.model.refusal import RefusalError
from gigawatt.weights.inspect import inspect
from gigawatt.weights.source import Source


def stored_weights(store: ArtifactStore, digest: str, *, is_tree: bool) -> Weights:
    """Of a stored tree or file; what makes no sense is said in `problem`. Blocks."""
    try:
        if not is_tree:
            one = Source(
                name="weights", size_bytes=store.size(digest), open=partial(store.open, digest)
            )
            return inspect([one])
        return inspect(
            [
                Source(
                    name=file.path,
                    size_bytes=file.size,
                    open=partial(store.open, PREFIX + file.sha256),
                )
                for file in store.tree(digest).files
            ]
        )
    except RefusalError as refusal:
        return Weights(format="files", problem=refusal.detail)
    except OSError as error:
        return Weights(format="files", problem=f"they could not be read: {error.strerror}")
