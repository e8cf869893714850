"""Every metric there is, as a table: the pages, the dashboards and `Metrics` are made from it.

Names follow the rules of Prometheus (https://prometheus.io/docs/practices/naming/): one prefix, base units, `_total`
for counters. Each family has a limit of label combinations, so the sum of all series is known before the first event.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

#: The most series that one process shows. `series()` is held against it by a test.
MOST_SERIES = 2000
#: Accounts that are named; those configured after them are counted together as `other`, which is one more.
MOST_ACCOUNTS = 24
MOST_WORKERS = 16
MOST_LANES = 64
_ACCOUNTS = MOST_ACCOUNTS + 2  # `other`, and the empty name of a delivery that no account had yet
_PATIENCE = (0.1, 0.3, 1.0, 3.0, 10.0, 60.0, 600.0, 3600.0, 86400.0)
_CALLS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)

Kind = Literal["counter", "gauge", "histogram"]


class Family(Struct, frozen=True, kw_only=True):
    """One metric. `limit` is how many label combinations it may show; `spare` of them are kept for folded ones.

    `labels` go from the one that matters most to the one that is given up first. Buckets are upper bounds in seconds.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    limit: int = 1
    spare: int = 1
    buckets: tuple[float, ...] = ()

    def series(self) -> int:
        """The most lines it adds to a scrape: a histogram has its buckets, `+Inf`, a sum and a count."""
        return self.limit * (len(self.buckets) + 3 if self.kind == "histogram" else 1)


def _of(kind: Kind, name: str, labels: str, help: str, limit: int = 1, spare: int = 1) -> Family:  # noqa: A002
    return Family(kind=kind, name=f"angarium_{name}", labels=tuple(labels.split()), help=help, limit=limit, spare=spare)


def _times(name: str, labels: str, help: str, limit: int, buckets: tuple[float, ...]) -> Family:  # noqa: A002
    family = _of("histogram", f"{name}_seconds", labels, help, limit)
    return msgspec.structs.replace(family, buckets=buckets)


EVENTS_ACCEPTED = _of("counter", "events_accepted_total", "priority", "Events stored durably and answered with 202.", 4)
EVENTS_DECIDED = _of("counter", "events_decided_total", "outcome", "Events by what became of them.", 5)
DELIVERIES = _of(
    "counter",
    "deliveries_total",
    "channel account priority status reason",
    "Changes of status of deliveries, with the reason.",
    limit=600,
    spare=100,
)
ACCEPTED_TO_CALLED = _times(
    "accepted_to_called",
    "channel priority",
    "From an event's acceptance to the first call for a delivery of it.",
    limit=25,
    buckets=_PATIENCE,
)
ACCEPTED_TO_DELIVERED = _times(
    "accepted_to_delivered",
    "channel priority",
    "From an event's acceptance to the report that a delivery of it arrived.",
    limit=25,
    buckets=_PATIENCE,
)
CALL = _times("call", "account", "Duration of calls to delivery services.", _ACCOUNTS, _CALLS)
CALLS = _of("counter", "calls_total", "account result", "Calls to delivery services by result.", 4 * _ACCOUNTS)
CALLBACKS = _of(
    "counter",
    "callbacks_total",
    "account result",
    "Callbacks of delivery services by what became of them.",
    4 * _ACCOUNTS,
)
BREAKER_OPEN = _of(
    "gauge", "breaker_open", "account", "1 while an account's breaker is open and lets only probes through.", _ACCOUNTS
)
CONCURRENCY = _of(
    "gauge",
    "account_concurrency",
    "account",
    "Calls that an account may have open at once, as last adapted.",
    _ACCOUNTS,
)
LAG_RECORDS = _of(
    "gauge", "lag_records", "topic group", "Records of a topic that a consumer group has not finished.", MOST_LANES
)
LAG_SECONDS = _of(
    "gauge",
    "lag_seconds",
    "topic group",
    "Age of the oldest record that a consumer group has not finished.",
    MOST_LANES,
)
OLDEST_UNFINISHED = _of(
    "gauge",
    "oldest_unfinished_seconds",
    "",
    "Age of the oldest notification that is neither done nor waits for a timer.",
)
UNKNOWN = _of("gauge", "unknown_deliveries", "", "Deliveries whose outcome nobody knows yet.")
PARKED = _of("gauge", "parked_deliveries", "", "Deliveries of unknown outcome that wait for a person.")
OLDEST_DUE = _of("gauge", "oldest_due_timer_seconds", "", "How long the oldest due timer is overdue.")
DEAD = _of("counter", "dead_total", "reason", "Records that no worker could handle.", 5)
WINDOW = _of("gauge", "window_records", "worker", "Records that a worker has polled and not finished.", MOST_WORKERS)
POLL_AGE = _of("gauge", "poll_age_seconds", "worker", "Time since a worker last polled.", MOST_WORKERS)
RESTARTS = _of("counter", "worker_restarts_total", "", "Workers that ended unasked and were started again.")
SCRAPE_FAILURES = _of(
    "counter", "scrape_failures_total", "", "Scrapes in which a store did not answer, so that its gauges are absent."
)
BUILD = _of("gauge", "build_info", "version python", "Always 1; the labels say which program runs.", spare=0)
RELEASE = _of(
    "gauge", "release_info", "release version", "Always 1; the labels say which release the workers run.", spare=0
)


def families() -> tuple[Family, ...]:
    """Every metric, in the order in which it is scraped and documented."""
    return (
        EVENTS_ACCEPTED,
        EVENTS_DECIDED,
        DELIVERIES,
        ACCEPTED_TO_CALLED,
        ACCEPTED_TO_DELIVERED,
        CALL,
        CALLS,
        CALLBACKS,
        LAG_RECORDS,
        LAG_SECONDS,
        OLDEST_UNFINISHED,
        UNKNOWN,
        PARKED,
        OLDEST_DUE,
        DEAD,
        WINDOW,
        POLL_AGE,
        BREAKER_OPEN,
        CONCURRENCY,
        RESTARTS,
        SCRAPE_FAILURES,
        BUILD,
        RELEASE,
    )


def series() -> int:
    """The most series all families can show together."""
    return sum(family.series() for family in families())
