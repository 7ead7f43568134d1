"""The gateway's own figures, in the text format of Prometheus. Endpoints appear by id: names belong to tenants."""

from bisect import bisect_left
from collections.abc import Mapping

from gigawatt.gateway.usage import Usage

PREFIX = "gigawatt_gateway_"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

Labels = tuple[str, ...]


class Counter:
    """Counts by label values; a gauge where `kind` says so."""

    __slots__ = ("help", "kind", "labels", "name", "values")

    def __init__(self, name: str, help: str, labels: Labels = (), *, kind: str = "counter") -> None:
        self.name = PREFIX + name
        self.help = help
        self.labels = labels
        self.kind = kind
        self.values: dict[Labels, float] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        self.values[labels] = self.values.get(labels, 0) + amount

    def set(self, *labels: str, value: float) -> None:
        self.values[labels] = value

    def forget(self, endpoint: str) -> None:
        for labels in [labels for labels in self.values if labels and labels[0] == endpoint]:
            del self.values[labels]

    def lines(self) -> list[str]:
        values: Mapping[Labels, float] = self.values if self.labels else self.values or {(): 0}
        return _heading(self.name, self.kind, self.help) + [
            f"{self.name}{_labelled(self.labels, key)} {_number(value)}"
            for key, value in sorted(values.items())
        ]


class Histogram:
    """Durations in seconds, by endpoint."""

    __slots__ = ("help", "name", "series")

    def __init__(self, name: str, help: str) -> None:
        self.name = PREFIX + name
        self.help = help
        self.series: dict[str, tuple[list[int], list[float]]] = {}  # per bucket; sum

    def observe(self, endpoint: str, seconds: float) -> None:
        series = self.series.get(endpoint)
        if series is None:
            series = self.series[endpoint] = ([0] * (len(SECONDS) + 1), [0.0])
        series[0][bisect_left(SECONDS, seconds)] += 1
        series[1][0] += seconds

    def forget(self, endpoint: str) -> None:
        self.series.pop(endpoint, None)

    def lines(self) -> list[str]:
        lines = _heading(self.name, "histogram", self.help)
        for endpoint, (buckets, total_s) in sorted(self.series.items()):
            below = 0
            for bound, count in zip((*SECONDS, None), buckets, strict=True):
                below += count
                le = "+Inf" if bound is None else _number(bound)
                labels = _labelled(("endpoint", "le"), (endpoint, le))
                lines.append(f"{self.name}_bucket{labels} {below}")
            labels = _labelled(("endpoint",), (endpoint,))
            lines.append(f"{self.name}_sum{labels} {_number(total_s[0])}")
            lines.append(f"{self.name}_count{labels} {below}")
        return lines


class Metrics:
    """Every metric of the gateway; gauges are set when they are asked for."""

    def __init__(self) -> None:
        self.requests = Counter(
            "requests_total",
            "Requests answered, by endpoint (empty where none was reached) and HTTP status; "
            "499 is a client that left.",
            ("endpoint", "status"),
        )
        self.tokens = Counter(
            "tokens_total",
            "Tokens that replicas stated, by kind: prompt, cached (part of prompt), completion.",
            ("endpoint", "kind"),
        )
        self.unmetered = Counter(
            "replies_unmetered_total", "Good replies that stated no usage.", ("endpoint",)
        )
        self.upstream_errors = Counter(
            "upstream_errors_total",
            "Replicas that failed a request, by kind: refused, died, malformed, timeout.",
            ("endpoint", "kind"),
        )
        self.retries = Counter("retries_total", "Requests sent to a second replica.", ("endpoint",))
        self._count_choices()
        self.queue_waits = Counter(
            "queue_waits_total", "Requests that had to wait in line.", ("endpoint",)
        )
        self.queue_wait_s = Histogram("queue_wait_seconds", "Time in line, of those that waited.")
        self.first_byte_s = Histogram(
            "first_byte_seconds",
            "From a request's arrival to its reply's first byte, waits included.",
        )
        self.request_s = Histogram(
            "request_seconds", "From a request's arrival to the end of its reply."
        )
        self.in_flight = Counter(
            "in_flight", "Requests at replicas now.", ("endpoint",), kind="gauge"
        )
        self.queued = Counter("queued", "Requests in line now.", ("endpoint",), kind="gauge")
        self.replicas = Counter(
            "replicas_ready", "Replicas that can be sent requests.", ("endpoint",), kind="gauge"
        )
        self.connections = Counter("connections", "Client connections open.", kind="gauge")
        self.bodies_bytes = Counter("bodies_bytes", "Bytes of request bodies held.", kind="gauge")
        self.revision = Counter(
            "config_revision", "Revision of the configuration in use.", kind="gauge"
        )
        self.control_up = Counter(
            "control_plane_up", "1 while the control plane answers.", kind="gauge"
        )

    def add_tokens(self, endpoint: str, usage: Usage) -> None:
        """What a reply stated."""
        self.tokens.add(endpoint, "prompt", amount=usage.prompt_tokens)
        self.tokens.add(endpoint, "cached", amount=usage.cached_tokens)
        self.tokens.add(endpoint, "completion", amount=usage.completion_tokens)

    def forget(self, endpoint: str) -> None:
        """Drop the series of an endpoint that is gone."""
        for metric in self._all():
            metric.forget(endpoint)

    def text(self) -> bytes:
        lines = [line for metric in self._all() for line in metric.lines()]
        return "".join(f"{line}\n" for line in lines).encode()

    def _count_choices(self) -> None:
        self.fallbacks = Counter(
            "fallbacks_total", "Requests that another endpoint took instead.", ("endpoint",)
        )
        self.slow = Counter(
            "slow_ejections_total",
            "Replicas passed over for answering far more slowly than the others.",
            ("endpoint",),
        )
        self.ejections = Counter(
            "ejections_total", "Replicas passed over after failures.", ("endpoint",)
        )
        self.shed = Counter(
            "shed_total", "Requests in line that gave way to more urgent ones.", ("endpoint",)
        )

    def _all(self) -> list[Counter | Histogram]:
        return [value for value in vars(self).values() if isinstance(value, Counter | Histogram)]


def _heading(name: str, kind: str, help: str) -> list[str]:
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]


def _labelled(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = zip(names, values, strict=True)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
