"""Whether the store serves this host, and the few lines that say so.

A store that is away fails every instance, loop and request, again and again. Rules of this file:
whoever meets a `StorageError` tells it here and logs nothing by himself. One line says that the
store fails, one a minute that it still does, with a count, one that it works again. Each failure
by itself is told on the level DEBUG. What fails for a reason of its own, and not because the store
is away, is a line, once a minute for each kind.
"""

from __future__ import annotations

from host.clock import Clock
from host.engine.repeated import RepeatedLines
from host.errors import StorageUnavailableError
from host.logs import HostLog

_logger = HostLog("funchost.engine")

TOLD_EVERY_S = 60.0
"""How often it is said that the store still fails; what comes back sooner is no news either."""
CALM_S = 5.0
"""So long nothing may have failed before the store works again: trouble ends bit by bit."""
FORGOTTEN_S = 45.0
"""After so long a failure counts no more, whatever its part did since. Longer than drivers try."""
SESSIONS = "sessions"


class StoreWatch:
    """Is told of each failure of the store or the queues, and now and then of what works."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines = RepeatedLines(clock)
        self.is_failing = False
        """Whether the store is away, or comes and goes. Each session asks: it is no property."""
        self.failures = 0
        """How often it failed since the host's start."""
        self._since = float("-inf")
        self._last_at = self._told_at = float("-inf")
        self._failures = self._untold = 0
        self._last = ""
        self._has_said_so = False
        """Whether the last line said that the store fails."""
        self._failing: set[str] = set()
        """Who failed and has not worked since then."""

    @property
    def problem(self) -> str:
        """What failed last."""
        return self._last

    def failed(
        self, text: str, subject: object, error: BaseException, *, part: str = SESSIONS
    ) -> None:
        """The store failed `part` of the host; `text` has places for the subject and the error."""
        if not isinstance(error, StorageUnavailableError | TimeoutError):
            self._lines.warn(text, subject, error)
            return
        _logger.debug(text, subject, error)
        now = self._clock.monotonic()
        if not self.is_failing:
            self.is_failing, self._since, self._failures = True, now, 0
        self._failing.add(part)
        self._failures, self._untold, self._last_at = self._failures + 1, self._untold + 1, now
        self.failures += 1
        self._last = str(error) or "no answer in time"
        self.look()

    def worked(self, part: str = SESSIONS) -> None:
        """The store did what `part` of the host asked for.

        A session asks for all there is. Others may hear of it late: a poll waits for a message.
        """
        if part == SESSIONS:
            self._failing.clear()
        else:
            self._failing.discard(part)

    def look(self) -> None:
        """Say what is to be said by now; to be called again and again."""
        if not self.is_failing:
            return
        now = self._clock.monotonic()
        if self._is_over(now):
            self._end()
        elif now - self._told_at >= TOLD_EVERY_S and now - self._last_at < CALM_S:
            self._say_failing(now)

    def _is_over(self, now: float) -> bool:
        calm_s = now - self._last_at
        return calm_s >= FORGOTTEN_S or (calm_s >= CALM_S and not self._failing)

    def _say_failing(self, now: float) -> None:
        if self._has_said_so:
            text = (
                "The store still fails. Failures since this was last said: %d, the last of them: %s"
            )
            _logger.warning(text, self._untold, self._last)
        else:
            _logger.warning("The store fails. All goes on by itself when it works: %s", self._last)
        self._told_at, self._untold, self._has_said_so = now, 0, True

    def _end(self) -> None:
        if self._has_said_so:
            text = "The store works again. Failures within %.0f s: %d."
            _logger.warning(text, self._last_at - self._since, self._failures)
            self._told_at, self._untold, self._has_said_so = self._clock.monotonic(), 0, False
        self.is_failing = False
        self._failing.clear()
