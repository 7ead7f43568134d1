"""Every endpoint that runs, and what is still to be told of those that do not any more."""

from gigawatt.gateway.config import EndpointConfig
from gigawatt.gateway.endpoints import Endpoint
from gigawatt.gateway.tally import Tally
from gigawatt.gateway.wiring import Wiring


class Endpoints:
    """All of them, by id, and the tallies of those that are gone until the last of it is reported."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.running: dict[str, Endpoint] = {}
        self.tallies: dict[str, Tally] = {}

    def apply(self, configs: tuple[EndpointConfig, ...]) -> None:
        """Make what runs as `configs` say; requests under way and in line keep their places."""
        removed = self.running.keys() - {config.id for config in configs}
        for endpoint_id in sorted(removed):
            self.running.pop(endpoint_id).remove()
        for config in configs:
            endpoint = self.running.get(config.id)
            if endpoint is None:
                tally = self.tallies.setdefault(config.id, Tally(config.id))
                self.running[config.id] = Endpoint(config, tally, self._wiring)
            else:
                endpoint.update(config)
        self.forget_settled()

    def forget_settled(self) -> None:
        """Let go of tallies, and of what they count of replicas, that have nothing more to tell."""
        for endpoint in self.running.values():
            endpoint.forget_replicas()
        gone = self.tallies.keys() - self.running.keys()
        for endpoint_id in sorted(gone):
            if self.tallies[endpoint_id].settled:
                del self.tallies[endpoint_id]
                self._wiring.metrics.forget(endpoint_id)

    def waiting(self) -> list[Endpoint]:
        return [endpoint for endpoint in self.running.values() if endpoint.line]

    def set_gauges(self) -> None:
        metrics = self._wiring.metrics
        for endpoint_id, endpoint in self.running.items():
            metrics.in_flight.set(endpoint_id, value=endpoint.tally.in_flight)
            metrics.queued.set(endpoint_id, value=len(endpoint.line))
            metrics.replicas.set(endpoint_id, value=len(endpoint.backends))
