"""Every limit of the gateway, by name. What happens at each is said beside it."""

from dataclasses import dataclass, fields, replace

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    # Of one client connection.
    connections: int = 8192  # more: accepted, answered 503, closed
    head_bytes: int = 64 * KIB  # request line and headers; more: 431
    target_bytes: int = 8 * KIB  # path and query; more: 414
    headers: int = 128  # more: 431
    pipelined: int = 32  # requests sent ahead of their answers; more: answered so far, then closed
    idle_s: float = 75.0  # without a request: closed
    head_s: float = 10.0  # from its first byte to the end of a head; longer: 408
    body_s: float = 300.0  # from the head to the end of the body; longer: 408
    stall_s: float = 60.0  # a client that does not read its reply: cut off
    linger_s: float = (
        5.0  # after an error, what a client still sends is read and dropped for this long
    )
    # Of request bodies.
    body_bytes: int = 32 * MIB  # more: 413
    bodies_bytes: int = 256 * MIB  # of all requests together; more: 503
    json_values: int = (
        2_000_000  # separators in a body, which bound what parsing it costs; more: 413
    )
    # Of replicas.
    connect_s: float = 5.0  # longer: as if refused
    first_byte_s: float = 600.0  # from the request to the reply's head; longer: 504
    between_bytes_s: float = (
        300.0  # of silence within a reply; longer: 504, or an error event in a stream
    )
    shun_s: float = (
        1.0  # after a replica has failed a request, others are preferred to it for this long
    )
    shun_s_max: float = 30.0  # it doubles with each failure in a row, up to this
    slow_s: float = 10.0  # a replica far slower than the others is left alone for this long
    slow_s_max: float = 300.0  # it doubles with each time in a row, up to this
    slow_start_s: float = 5.0  # in which a replica that joins others comes to its full part
    reply_head_bytes: int = 64 * KIB  # more: as if the replica had died
    held_reply_bytes: int = (
        1 * MIB
    )  # replies up to this are passed on whole, larger ones as they come
    event_bytes: int = 1 * MIB  # one server-sent event; longer ones pass unread
    spare_connections: int = 64  # idle ones kept to a replica; more: closed
    spare_s: float = (
        4.0  # an idle one is kept; below the 5 s after which many Python servers hang up
    )
    # Of the process.
    keep_alive_s: float = 5.0  # a stream that waits in line is told of it this often, from then on
    sweep_s: float = 0.5  # how often deadlines are looked at, and so how late they may be noticed
    report_s: float = 0.5  # between demand reports, while something changes
    report_idle_s: float = 5.0  # between reports of everything
    drain_s: float = 8.0  # after SIGTERM, for replies under way; then they end with an error


class LimitError(ValueError):
    """A limit was set by a name or to a value that cannot be."""


def with_limits(limits: Limits, settings: list[str]) -> Limits:
    """`limits` changed by `NAME=VALUE` texts, each in the unit of its name."""
    known = {field.name: float if field.type is float else int for field in fields(limits)}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in known:
            raise LimitError(f"no limit is called {name!r}; there are: {', '.join(known)}")
        try:
            value = known[name](text)
        except ValueError as error:
            raise LimitError(f"limit {name}: {text!r} is not a number") from error
        if not value > 0:
            raise LimitError(f"limit {name}: {text} must be above 0")
        limits = replace(limits, **{name: value})
    return limits
