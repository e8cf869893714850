"""What only the stores know, read anew for each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from angarium.telemetry import families
from angarium.telemetry.families import Family
from angarium.telemetry.series import OTHER

Lane = tuple[str, str]


class Readings(Struct, frozen=True, kw_only=True):
    """`lag`: (records, age in seconds of the oldest) by (topic, group). The other ages are seconds, too."""

    lag: Mapping[Lane, tuple[float, float]] = {}
    oldest_unfinished: float = 0.0
    unknown: int = 0
    parked: int = 0
    oldest_due_timer: float = 0.0


def metrics(readings: Readings) -> Iterator[Metric]:
    """The readings as gauges."""
    lag = _bounded(readings.lag)
    yield gauge(families.LAG_RECORDS, {lane: records for lane, (records, _) in lag.items()})
    yield gauge(families.LAG_SECONDS, {lane: seconds for lane, (_, seconds) in lag.items()})
    yield gauge(families.OLDEST_UNFINISHED, {(): readings.oldest_unfinished})
    yield gauge(families.UNKNOWN, {(): readings.unknown})
    yield gauge(families.PARKED, {(): readings.parked})
    yield gauge(families.OLDEST_DUE, {(): readings.oldest_due_timer})


def gauge(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    """One family with its values by label values."""
    metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric


def _bounded(lag: Mapping[Lane, tuple[float, float]]) -> dict[Lane, tuple[float, float]]:
    """The lanes beyond the limit become one: their records added up, and the greatest age."""
    lanes = sorted(lag)
    kept = {lane: lag[lane] for lane in lanes[: families.MOST_LANES - 1]}
    rest = [lag[lane] for lane in lanes[families.MOST_LANES - 1 :]]
    if rest:
        kept[OTHER, OTHER] = (sum(records for records, _ in rest), max(seconds for _, seconds in rest))
    return kept
