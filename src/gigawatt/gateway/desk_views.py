"""Files and batches as OpenAI's clients read them."""

from collections.abc import Sequence
from typing import Any

from gigawatt.gateway.batch_store import Batch, StoredFile

TIMES = (
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


def file_view(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_s,
        "expires_at": file.expires_s or None,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }


def batch_view(batch: Batch) -> dict[str, Any]:
    fields = batch.fields
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": fields["endpoint"],
        "errors": fields.get("errors"),
        "input_file_id": fields["input_file_id"],
        "completion_window": fields["completion_window"],
        "status": batch.status,
        "output_file_id": fields.get("output_file_id"),
        "error_file_id": fields.get("error_file_id"),
        "created_at": batch.created_s,
        **{name: fields.get(name) for name in TIMES},
        "request_counts": fields["request_counts"],
        "metadata": fields.get("metadata"),
    }


def page_view(views: Sequence[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": list(views),
        "first_id": views[0]["id"] if views else None,
        "last_id": views[-1]["id"] if views else None,
        "has_more": more,
    }
