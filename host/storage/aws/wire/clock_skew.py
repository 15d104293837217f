"""How far this machine's clock is from AWS's, as the `Date` of an answer tells it.

Rules of this file: pure. A date has whole seconds and an answer takes its time, so only what is
certain is told.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

TOLD_S = 1.0
"""What is less matters to nobody."""

_SECOND = timedelta(seconds=1)


def told_skew(date: str, sent_at: datetime, received_at: datetime) -> str | None:
    """A sentence about this machine's clock if it is certainly wrong by more than a second."""
    try:
        earliest = parsedate_to_datetime(date)
        ahead_s = (sent_at - (earliest + _SECOND)).total_seconds()
        behind_s = (earliest - received_at).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a zone
        return None
    if max(ahead_s, behind_s) <= TOLD_S:
        return None
    where = f"{ahead_s:.0f} s ahead of" if ahead_s > 0 else f"{behind_s:.0f} s behind"
    return (
        f"This machine's clock is at least {where} AWS's. Timers go by it, and AWS refuses "
        "requests that are 5 minutes or more away: have it set (NTP)."
    )
