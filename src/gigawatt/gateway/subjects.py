"""Whose counts all workers of a gateway share: holders of limits, replicas, and lines."""

from gigawatt.gateway.config import Config
from gigawatt.gateway.quotas import allowances


def counted_names(config: Config) -> list[str]:
    """A name for each, in a stated order."""
    replicas = [
        replica_row(replica.id) for endpoint in config.endpoints for replica in endpoint.replicas
    ]
    lines = [line_row(endpoint.id) for endpoint in config.endpoints]
    return [*sorted(allowances(config)), *replicas, *lines]


def replica_row(replica: str) -> str:
    return f"replica {replica}"


def line_row(endpoint: str) -> str:
    return f"line {endpoint}"
