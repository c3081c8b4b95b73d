"""What Prometheus reads from `/metrics`."""

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


class Samples:
    """The samples of one answer, without the service's prefix."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.names = [family.name for family in families]
        self._values: dict[Sample, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the sample with exactly these labels."""
        return self._values.get((f"movie_finder_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels among theirs."""
        wanted = set(labels.items())
        full = f"movie_finder_{name}"
        return sum(v for (found, own), v in self._values.items() if found == full and wanted <= own)


def metric(name: str, **labels: str) -> float:
    """What this process has counted under `movie_finder_` and this name; 0 where it is nothing yet."""
    return REGISTRY.get_sample_value(f"movie_finder_{name}", labels) or 0.0
