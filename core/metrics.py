"""What this process counts about itself, for Prometheus (listed in docs/operations.md)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.5, 1, 2, 5, 10, 20, 40, 60, 120, 300, 600)

TURNS = Counter("moorings_turns", "Turns that this process ended, by how they ended.", ["state"])
TURN_SECONDS = Histogram(
    "moorings_turn_seconds", "Seconds that this process worked on a turn.", buckets=_SECONDS
)
DELIVERIES = Counter(
    "moorings_deliveries", "Messages of answers, by what became of a try.", ["outcome"]
)
LEASES_HELD = Gauge("moorings_leases_held", "Conversations that this process works on.")
INBOX_WAITING = Gauge(
    "moorings_inbox_waiting", "Messages in the database that nobody has begun to answer."
)
BACKUP_AGE = Gauge("moorings_backup_age_seconds", "Seconds since the last nightly backup.")
