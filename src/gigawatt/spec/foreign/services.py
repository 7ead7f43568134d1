"""Services: what an endpoint needs and other systems do not say, a model that is registered and a port that is given."""

import re
from typing import Any

from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.names import name_of

_PORTS = r"(--port[ =]|-p[ =]|--port=|:){port}\b"


def endpoint_model(name: str, *, key: str, line: int, findings: Findings) -> str:
    """The reference to a model of that name, with a note that it is to be registered first."""
    model = name_of(name.rsplit("/", 1)[-1], "model")
    detail = f"an endpoint serves a registered model; this one asks for {model!r}"
    advice = f"`gw models push {model} DIRECTORY`, and let the command read $GIGAWATT_MODEL_PATH"
    findings.note(key, line, detail, advice)
    return model


def on_given_port(script: str, port: str, *, key: str, line: int, findings: Findings) -> str:
    """The script with its fixed port replaced by the one that a replica is given."""
    if not port:
        return script
    pattern = re.compile(_PORTS.format(port=re.escape(port)))
    changed = pattern.sub(r"\g<1>$PORT", script)
    if changed == script and "$PORT" not in script:
        detail = f"the port is given, not {port}: each replica has its own"
        findings.note(key, line, detail, "let the command listen on 127.0.0.1:$PORT")
    return changed


def endpoint_of(job: dict[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    """An endpoint from what a job and a service say: its program is a shell's, for replicas have no `script`."""
    fields = {name: value for name, value in job.items() if name not in {"kind", "script"}}
    command = ["bash", "-c", job["script"]]
    ordered = {"kind": "endpoint", "name": fields.pop("name"), **service, "command": command}
    return {**ordered, **fields}
