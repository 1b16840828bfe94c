"""Reading metrics in the tests."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read_metrics(text: str) -> Samples:
    """Return the value of each series of an exposition."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value_of(samples: Samples, name: str, **labels: str) -> float:
    """Return the value of `nebengjek_<name>`; raise `KeyError` where there is no such series."""
    return samples[f"nebengjek_{name}", frozenset(labels.items())]
