"""The file of a gateway that stands alone, as the configuration that it serves by."""

import json
from pathlib import Path

from pydantic import ValidationError

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.documents import read_mappings
from gigawatt.spec.faults import faults_of, refusal
from gigawatt.spec.gateway_form import GatewayForm, gateway_document


def gateway_configuration(path: Path, *, revision: int) -> bytes:
    """Raises RefusalError with line and column, OSError."""
    documents = read_mappings(path.read_text(), str(path))
    if len(documents) != 1:
        raise RefusalError(RefusalCode.INVALID, f"{path} has more than one document")
    (document,) = documents
    try:
        form = GatewayForm.model_validate(document.data)
        return json.dumps(gateway_document(form, revision=revision)).encode()
    except ValidationError as error:
        raise document.located(refusal(faults_of(error, GatewayForm))) from error
    except RefusalError as error:
        raise document.located(error) from error
