"""What a gateway process is told when it is started."""

from dataclasses import dataclass
from pathlib import Path

from gigawatt.build.certificates import Certificates
from gigawatt.gateway.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    config_file: Path  # the last configuration, read at the start and written at every change
    api_url: str  # of the control plane; empty where there is none, and the file says all
    spool_dir: Path  # where answered requests are counted
    token_file: Path  # holds an API key of the role gateway
    host: str
    port: int  # 0 for any that is free
    limits: Limits
    workers: int = 1
    certificates: Certificates | None = None  # to serve with; None is plain HTTP
    pinned: bool = False  # clients are told to use TLS there for good
    api_authority: str = (
        ""  # a file with what the control plane is believed by; empty for the system's
    )
