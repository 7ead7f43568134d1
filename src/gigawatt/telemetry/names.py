"""Every metric that gigawatt exports, in one table: name, kind, labels, meaning. The reference page is made of it."""

from dataclasses import dataclass
from typing import Literal

MetricKind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One family. Counters end in `_total`, amounts of time in `_seconds`, of memory in `_bytes`."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
SLOW_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)

INFO = Metric(
    name="gigawatt_info",
    kind="gauge",
    help="Always 1; the labels say which version runs.",
    labels=("version",),
)
LEADER_EPOCH = Metric(
    name="gigawatt_leader_epoch", kind="gauge", help="Epoch of the leader that this process is."
)
CYCLE_SECONDS = Metric(
    name="gigawatt_cycle_seconds",
    kind="histogram",
    help="Time of one cycle of the loop: apply inputs, decide, reconcile.",
    buckets=FAST_S,
)
COMMIT_SECONDS = Metric(
    name="gigawatt_commit_seconds",
    kind="histogram",
    help="Time to commit one batch to the store.",
    buckets=SLOW_S,
)
BATCH_SIZE = Metric(
    name="gigawatt_commit_objects",
    kind="histogram",
    help="Objects that one commit wrote.",
    buckets=COUNTS,
)
API_REQUESTS = Metric(
    name="gigawatt_api_requests_total",
    kind="counter",
    help="API requests answered.",
    labels=("method", "route", "status"),
)
API_SECONDS = Metric(
    name="gigawatt_api_request_seconds",
    kind="histogram",
    help="Time from a request's first byte to its response's start.",
    labels=("method", "route"),
    buckets=SLOW_S,
)
CONSOLE_REPORTS = Metric(
    name="gigawatt_console_policy_reports_total",
    kind="counter",
    help="Reports of browsers that a page of the console went against its content security policy.",
)
JOBS = Metric(
    name="gigawatt_jobs",
    kind="gauge",
    help="Jobs that the store has, by phase.",
    labels=("phase",),
)
JOBS_WAITING = Metric(
    name="gigawatt_jobs_waiting",
    kind="gauge",
    help="Jobs in line for nodes, by the reason of the last cycle; other for those not told apart.",
    labels=("reason",),
)
ESTIMATES_SCORED = Metric(
    name="gigawatt_estimates_scored_total",
    kind="counter",
    help="Starts of gangs of which this leader had said when they would start.",
)
ESTIMATES_COVERED = Metric(
    name="gigawatt_estimates_covered_ratio",
    kind="gauge",
    help="Of these, the part that had started by the estimate; near 0.5 for p50 and 0.9 for p90 if estimates hold.",
    labels=("quantile",),
)
ESTIMATES_PINBALL = Metric(
    name="gigawatt_estimates_pinball_seconds",
    kind="gauge",
    help="Of these, the mean pinball loss of both quantiles: the less, the sharper.",
)
NODES = Metric(name="gigawatt_nodes", kind="gauge", help="Nodes by state.", labels=("state",))
NODE_INSTALLED = Metric(
    name="gigawatt_node_installed",
    kind="gauge",
    help="What a node has: milli_gpu, milli_cpu, memory_bytes.",
    labels=("node", "resource"),
)
NODE_FREE = Metric(
    name="gigawatt_node_free",
    kind="gauge",
    help="What no gang holds of a node: milli_gpu, milli_cpu, memory_bytes.",
    labels=("node", "resource"),
)
LEDGER = Metric(
    name="gigawatt_ledger_unit_ms",
    kind="gauge",
    help="Installed device time by class; all classes of a unit sum to gigawatt_ledger_installed_unit_ms.",
    labels=("unit", "class"),
)
LEDGER_INSTALLED = Metric(
    name="gigawatt_ledger_installed_unit_ms",
    kind="gauge",
    help="Installed device time, counted apart from the classes.",
    labels=("unit",),
)
JOB_STEP = Metric(
    name="gigawatt_job_step",
    kind="gauge",
    help="Last step that a live job reported.",
    labels=("tenant", "project", "job", "name"),
)
JOB_LOSS = Metric(
    name="gigawatt_job_loss",
    kind="gauge",
    help="Last loss that a live job reported.",
    labels=("tenant", "project", "job", "name"),
)
JOB_TOKENS_PER_S = Metric(
    name="gigawatt_job_tokens_per_second",
    kind="gauge",
    help="Training throughput that a live job reported.",
    labels=("tenant", "project", "job", "name"),
)
JOBS_UNSHOWN = Metric(
    name="gigawatt_jobs_without_series",
    kind="gauge",
    help="Live jobs with progress that have no series of their own, because too many run at once.",
)
ENDPOINT_REPLICAS = Metric(
    name="gigawatt_endpoint_replicas",
    kind="gauge",
    help="Replicas of an endpoint: wanted, or ready.",
    labels=("tenant", "project", "endpoint", "state"),
)
ENDPOINT_IN_FLIGHT = Metric(
    name="gigawatt_endpoint_requests_in_flight",
    kind="gauge",
    help="Requests that replicas of an endpoint are answering.",
    labels=("tenant", "project", "endpoint"),
)
ENDPOINT_QUEUED = Metric(
    name="gigawatt_endpoint_requests_queued",
    kind="gauge",
    help="Requests that wait for a replica of an endpoint.",
    labels=("tenant", "project", "endpoint"),
)
ENDPOINT_REQUESTS = Metric(
    name="gigawatt_endpoint_requests_total",
    kind="counter",
    help="Requests that an endpoint has answered since it was made.",
    labels=("tenant", "project", "endpoint"),
)
ENDPOINT_TOKENS = Metric(
    name="gigawatt_endpoint_tokens_total",
    kind="counter",
    help="Tokens that an endpoint has read (prompt) and written (completion) since it was made.",
    labels=("tenant", "project", "endpoint", "kind"),
)

DISK_FREE = Metric(
    name="gigawatt_disk_free_bytes",
    kind="gauge",
    help="Free on the disk of the data directory.",
)
DISK_TOTAL = Metric(
    name="gigawatt_disk_total_bytes", kind="gauge", help="Size of the disk of the data directory."
)
DISK_PRESSURE = Metric(
    name="gigawatt_disk_pressure",
    kind="gauge",
    help="1 for the level that the disk is at: well, soft (caches go) or hard (nothing new is taken).",
    labels=("level",),
)
RETENTION_REMOVED = Metric(
    name="gigawatt_retention_removed_total",
    kind="counter",
    help="What was removed by policies, by gw prune or under pressure.",
    labels=("kind",),
)
RETENTION_REMOVED_BYTES = Metric(
    name="gigawatt_retention_removed_bytes_total",
    kind="counter",
    help="Bytes of what was removed.",
    labels=("kind",),
)

TABLE: tuple[Metric, ...] = (
    INFO,
    LEADER_EPOCH,
    CYCLE_SECONDS,
    COMMIT_SECONDS,
    BATCH_SIZE,
    API_REQUESTS,
    API_SECONDS,
    CONSOLE_REPORTS,
    JOBS,
    JOBS_WAITING,
    ESTIMATES_SCORED,
    ESTIMATES_COVERED,
    ESTIMATES_PINBALL,
    NODES,
    NODE_INSTALLED,
    NODE_FREE,
    LEDGER,
    LEDGER_INSTALLED,
    JOB_STEP,
    JOB_LOSS,
    JOB_TOKENS_PER_S,
    JOBS_UNSHOWN,
    ENDPOINT_REPLICAS,
    ENDPOINT_IN_FLIGHT,
    ENDPOINT_QUEUED,
    ENDPOINT_REQUESTS,
    ENDPOINT_TOKENS,
    DISK_FREE,
    DISK_TOTAL,
    DISK_PRESSURE,
    RETENTION_REMOVED,
    RETENTION_REMOVED_BYTES,
)
