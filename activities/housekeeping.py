"""What is done every day, for no request in particular."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from temporalio import activity

from activities.failing import told_to_temporal
from activities.stores import Stores


class HousekeepingActivities:
    """The daily steps, handed the database."""

    def __init__(self, stores: Stores) -> None:
        """Keep what the steps need."""
        self._stores = stores

    @activity.defn
    def expire_tombstones(self) -> int:
        """Remove the "deleted members" records whose time is over; returns how many there were."""
        with told_to_temporal("housekeeping", "expire_tombstones"):
            removed = self._stores.expire_tombstones(datetime.now(UTC).date())
        structlog.get_logger().info("tombstones expired", removed=removed)
        return removed
