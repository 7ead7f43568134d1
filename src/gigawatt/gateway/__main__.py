"""`python -m gigawatt.gateway`: the data plane as a process of its own."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

import uvloop

from gigawatt.build.certificates import Certificates, check_certificates
from gigawatt.build.exposure import check_exposed
from gigawatt.gateway.limits import LimitError, Limits, with_limits
from gigawatt.gateway.logs import log_to
from gigawatt.gateway.run import allow_many_connections, run_gateway
from gigawatt.gateway.run_crew import run_crew
from gigawatt.gateway.settings import Settings
from gigawatt.gateway.worker import Place
from gigawatt.model.refusal import RefusalError

DEFAULT_PORT = 8800

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        log_to(arguments.log_file)
        limits = with_limits(Limits(), arguments.limit)
        allow_many_connections()
        settings = Settings(
            config_file=arguments.config,
            spool_dir=arguments.config.parent / "spool",
            api_url=arguments.api,
            token_file=arguments.token_file,
            host=arguments.host,
            port=arguments.port,
            limits=limits,
            workers=arguments.workers or len(os.sched_getaffinity(0)),
            certificates=_certificates(arguments),
            pinned=arguments.pinned,
            api_authority=arguments.api_authority,
        )
        if arguments.place is not None:
            uvloop.run(run_gateway(settings, Place.parse(arguments.place)))
        elif settings.workers > 1:
            asyncio.run(run_crew(settings))
        else:
            uvloop.run(run_gateway(settings))
    except RefusalError as error:
        sys.stderr.write(f"gigawatt gateway: {error.detail}\nhint: {error.hint}\n")
        return 1
    except (LimitError, OSError, ValueError) as error:
        sys.stderr.write(f"gigawatt gateway: {error}\n")
        if arguments.log_file is not None:  # else the same would stand there twice
            log.critical("cannot run", extra={"detail": str(error)})
        return 1
    return 0


def _certificates(arguments: argparse.Namespace) -> Certificates | None:
    """Raises RefusalError, also for what would be reached from elsewhere without any."""
    cert, key = arguments.tls_cert, arguments.tls_key
    insecure = arguments.insecure_no_tls
    check_exposed(arguments.host, tls=cert is not None, insecure=insecure)
    if cert is None:
        return None
    found = Certificates(cert=cert, key=key or cert)
    check_certificates(found)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gigawatt.gateway", description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="the last configuration, read and written here")
    add("--api", default="", help="URL of the control plane's API; without, the file is followed")
    add("--token-file", type=Path, default=Path(), help="holds an API key of the role gateway")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=DEFAULT_PORT, help="0 for any that is free")
    add("--workers", type=int, default=1, help="processes; 0 is one for each core")
    add("--place", help=argparse.SUPPRESS)  # a worker's, from its parent
    add("--tls-cert", type=Path, help="serve by TLS with this certificate, PEM")
    add("--tls-key", type=Path, help="its key, where it is in another file")
    add("--pinned", action="store_true", help="tell clients to use TLS here for good")
    add("--api-authority", default="", help="a file with what the API is believed by")
    add("--insecure-no-tls", action="store_true", help="serve other machines without TLS")
    add("--log-file", type=Path, help="JSON lines; default: standard error")
    add("--limit", action="append", default=[], metavar="NAME=VALUE", help="change one limit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
