"""Query parameters of routes that send and read files: artifacts, and data in volumes."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from gigawatt.api.queries import CURSOR_CHARS_MAX, STRICT, Word
from gigawatt.build.trees import PATH_BYTES_MAX, TREE_FILES_MAX
from gigawatt.service.datasets import FileRange
from gigawatt.service.lookup import PAGE_LIMIT, PAGE_LIMIT_MAX, Filters
from gigawatt.spec.requests import COUNT_MAX

FILES_LIMIT_MAX = 10_000


class UploadQuery(BaseModel):
    """What the bytes are."""

    model_config = STRICT
    kind: Literal["bundle", "file", "tree"] = "file"
    project: Word = ""


class PartQuery(BaseModel):
    """What the bytes of a part hash to."""

    model_config = STRICT
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class FinishQuery(BaseModel):
    """How many bytes the parts are together."""

    model_config = STRICT
    size: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    project: Word = ""


class InTreeQuery(BaseModel):
    """Which file of a tree, by its path in it."""

    model_config = STRICT
    path: Annotated[str, Field(min_length=1, max_length=PATH_BYTES_MAX)]


class FilesOfTreeQuery(BaseModel):
    """Which files of a tree: those from number `start` up to `stop`, as its manifest lists them."""

    model_config = STRICT
    start: Annotated[int, Field(ge=0, le=TREE_FILES_MAX)]
    stop: Annotated[int, Field(ge=1, le=TREE_FILES_MAX)]


class FilesQuery(BaseModel):
    """Files of a version whose path begins with `prefix`."""

    model_config = STRICT
    project: Word = ""
    prefix: Annotated[str, Field(max_length=PATH_BYTES_MAX)] = ""
    cursor: Annotated[str, Field(pattern=r"^[0-9]{0,9}$")] = ""
    limit: Annotated[int, Field(ge=1, le=FILES_LIMIT_MAX)] = 1_000

    def wanted(self) -> FileRange:
        return FileRange(prefix=self.prefix, start=int(self.cursor or 0), limit=self.limit)


class InVersionQuery(BaseModel):
    """Which file of a version, by its path in it."""

    model_config = STRICT
    project: Word = ""
    path: Annotated[str, Field(min_length=1, max_length=PATH_BYTES_MAX)]


class VersionsQuery(BaseModel):
    """The place in a list of versions."""

    model_config = STRICT
    project: Word = ""
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS_MAX)] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT_MAX)] = PAGE_LIMIT

    def filters(self) -> Filters:
        return Filters(cursor=self.cursor, limit=self.limit)


Uploading = Annotated[UploadQuery, Query()]
InPart = Annotated[PartQuery, Query()]
Finishing = Annotated[FinishQuery, Query()]
InTree = Annotated[InTreeQuery, Query()]
FilesOfTree = Annotated[FilesOfTreeQuery, Query()]
Files = Annotated[FilesQuery, Query()]
InVersion = Annotated[InVersionQuery, Query()]
Versions = Annotated[VersionsQuery, Query()]
