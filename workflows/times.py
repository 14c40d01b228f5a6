"""Every timeout and retry policy, with its reason."""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy

# One attempt of a step. Long enough for a vendor's whole search; a dead worker is noticed by the heartbeat.
STEP = timedelta(minutes=20)

# Three missed beats of ten seconds: a worker that was killed loses half a minute, not the whole step.
HEARTBEAT = timedelta(seconds=30)

# A step inside our own database.
NOTE = timedelta(seconds=30)

# Without end: a vendor may be down for days, and the law's clock is watched by people, not by a timeout.
# A vendor's own Retry-After replaces the interval. What a retry cannot mend is raised as non-retryable.
VENDOR = RetryPolicy(
    initial_interval=timedelta(seconds=5),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(hours=1),
)

# Our own database comes back soon or somebody is already working on it.
OWN = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=1),
)

# Alarms closer together than this part of their wait share one timer: one event for twenty systems, not twenty.
SHARED_PART = 8
