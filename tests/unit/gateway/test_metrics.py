from prometheus_client.parser import text_string_to_metric_families

from gigawatt.gateway.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def filled() -> Metrics:
    metrics = Metrics()
    metrics.requests.add("e", "200")
    metrics.requests.add("e", "200")
    metrics.tokens.add("e", "prompt", amount=7)
    metrics.first_byte_s.observe("e", 0.005)
    metrics.first_byte_s.observe("e", 0.3)
    metrics.first_byte_s.observe("e", 1000)
    metrics.connections.set(value=3)
    return metrics


def test_prometheus_reads_what_is_written() -> None:
    read = samples(filled())
    endpoint = ("endpoint", "e")
    name = "gigawatt_gateway_first_byte_seconds"
    assert read["gigawatt_gateway_requests_total", (endpoint, ("status", "200"))] == 2
    assert read["gigawatt_gateway_tokens_total", (endpoint, ("kind", "prompt"))] == 7
    assert read["gigawatt_gateway_connections", ()] == 3
    assert read[f"{name}_count", (endpoint,)] == 3
    assert read[f"{name}_sum", (endpoint,)] == 1000.305
    buckets = [
        read[f"{name}_bucket", (endpoint, ("le", le))] for le in ("0.005", "0.25", "0.5", "+Inf")
    ]
    assert buckets == [1, 1, 2, 3]


def test_every_metric_is_there_from_the_start_and_named_ours() -> None:
    families = list(text_string_to_metric_families(Metrics().text().decode()))
    assert len(families) == len(vars(Metrics()))
    assert all(family.name.startswith("gigawatt_gateway_") for family in families)
    assert all(family.documentation for family in families)


def test_odd_label_values_are_escaped() -> None:
    metrics = Metrics()
    odd = 'a"b\\c\nd'
    metrics.unmetered.add(odd)
    assert samples(metrics)["gigawatt_gateway_replies_unmetered_total", (("endpoint", odd),)] == 1


def test_an_endpoint_that_is_gone_is_forgotten() -> None:
    metrics = filled()
    metrics.forget("e")
    assert [key for key in samples(metrics) if ("endpoint", "e") in key[1]] == []
