"""What the front page is told: nothing yet."""

from msgspec import Struct


class DashboardSettings(Struct, frozen=True):
    """No settings of its own."""
