"""Production's autoscaler as a policy of a fleet in virtual time."""

from gigawatt.model.endpoint import Demand, EndpointSpec
from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.model.scaling import NO_LOAD, Scaling
from gigawatt.routing.autoscale import started_ahead, target_replicas
from gigawatt.routing.load import with_requests
from gigawatt.twin.fleet import Moment, ReplicaModel

MS_PER_S = 1000
REPLICAS_MAX = 10_000


class Autoscaler:
    """What reconcile does for an endpoint at each report of its gateway."""

    def __init__(
        self,
        model: ReplicaModel,
        scaling: Scaling | None,
        *,
        least: int = 0,
        most: int = REPLICAS_MAX,
        idle_s: int = 300,
    ) -> None:
        spec = EndpointSpec(
            name="played",
            model="",
            model_path="",
            served_name="played",
            command=("serve",),
            shape=Shape(per_node=Resources(milli_gpu=model.gpus * 1000)),
            environment="host",
            replicas_min=least,
            replicas_max=most,
            concurrency=model.concurrency,
            idle_s=idle_s,
            scaling=scaling,
        )
        self._spec = started_ahead(spec, start_ms=round(model.start_s * MS_PER_S))
        self._load, self._last_ms = NO_LOAD, 0

    def wanted(self, moment: Moment) -> int:
        now_ms = round(moment.now_s * MS_PER_S)
        requests = moment.in_flight + moment.queued
        if requests:
            self._last_ms = now_ms
        if self._spec.scaling is not None:
            self._load = with_requests(self._load, requests, self._spec.scaling, now_ms=now_ms)
        demand = Demand(
            at_ms=now_ms,
            in_flight=moment.in_flight,
            queued=moment.queued,
            last_request_ms=self._last_ms,
        )
        target = target_replicas(
            self._spec,
            demand,
            current=moment.current,
            ready=moment.ready,
            now_ms=now_ms,
            load=self._load,
        )
        self._load = target.load
        return target.replicas
