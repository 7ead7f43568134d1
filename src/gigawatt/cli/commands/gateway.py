"""`gw gateway`: a gateway alone, in front of any OpenAI servers."""

import os
import sys
from pathlib import Path

import click

from gigawatt.cli.session import Session, with_session

EXAMPLE = """\b
A file:
  keys:
    - {name: alice, key: sk-…, requests_per_s: 10, tokens_per_min: 100000}
  models:
    - name: llama
      servers: ["http://10.0.0.1:8000", "http://10.0.0.2:8000"]
      routing: prefix
"""


@click.command("gateway", epilog=EXAMPLE)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8800, show_default=True, help="The port; 0 takes a free one.")
@click.option("--workers", default=0, help="Processes; 0, the default, is one for each core.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("gigawatt-gateway"),
    show_default=True,
    help="The directory that it keeps its configuration and its counts in.",
)
@click.option("--tls-cert", type=click.Path(exists=True), help="Serve by TLS with it, PEM.")
@click.option("--tls-key", type=click.Path(exists=True), help="Its key, PEM.")
@click.option("--insecure-no-tls", is_flag=True, help="Serve other machines without TLS.")
@click.option("--reload", is_flag=True, help="Only have a gateway that runs take FILE up.")
@click.option("--usage", is_flag=True, help="Only print what has been counted, by key and model.")
@with_session
def gateway(session: Session, *, file: Path, state: Path, **given: int | str | bool | None) -> None:
    """Serve the models of FILE from the OpenAI servers that it names, to the keys that it names."""
    from gigawatt import clock
    from gigawatt.build.exposure import check_exposed
    from gigawatt.gateway.config_file import save_config
    from gigawatt.sdk.gateway_file import gateway_configuration

    if given["usage"]:
        _show_usage(session, state)
        return
    config = state / "config.json"
    save_config(config, gateway_configuration(file, revision=clock.now_ms()))
    if given["reload"]:
        session.say("a gateway that runs in this directory takes it up within a second")
        return
    options = [
        part for name in ("host", "port", "workers") for part in (f"--{name}", str(given[name]))
    ]
    for name in ("tls-cert", "tls-key"):
        value = given[name.replace("-", "_")]
        options += [f"--{name}", str(value)] if value else []
    options += ["--insecure-no-tls"] if given["insecure_no_tls"] else []
    tls = given["tls_cert"] is not None
    check_exposed(str(given["host"]), tls=tls, insecure=bool(given["insecure_no_tls"]))
    scheme = "https" if tls else "http"
    session.say(
        f"the gateway is at {scheme}://{given['host']}:{given['port']}/v1; Ctrl-C drains it"
    )
    command = [sys.executable, "-m", "gigawatt.gateway", "--config", str(config), *options]
    os.execv(sys.executable, command)  # noqa: S606 - this process becomes the gateway


def _show_usage(session: Session, state: Path) -> None:
    from gigawatt.gateway.token_reports import TokenReports

    reports = TokenReports(state / "spool", None)
    sums: dict[tuple[str, str], list[int]] = {}
    for reader in reports.readers():
        for row in reader.rows():
            into = sums.setdefault((row.subject.key, row.subject.model), [0, 0, 0, 0])
            for place, count in enumerate(row.counts):
                into[place] += count
    reports.close()
    names = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens")
    items = [
        {"key": key, "model": model, **dict(zip(names, counts, strict=True))}
        for (key, model), counts in sorted(sums.items())
    ]
    if session.as_json:
        session.show_json({"items": items})
        return
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name="KEY"), Column(name="MODEL")]
    columns += [
        Column(name=name, right=True) for name in ("REQUESTS", "PROMPT", "CACHED", "COMPLETION")
    ]
    show_table(columns, [[str(value) for value in item.values()] for item in items])
