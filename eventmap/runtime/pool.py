"""Which environment runs the next invocation, and which are to be ended: decisions only, nothing here waits."""

from __future__ import annotations

from collections.abc import Callable

from eventmap.runtime.environment import ExecutionEnvironment


class Pool:
    """At most `limit` environments, reused most-recent-first (INV-75, 78, 79).

    Whoever is told that an environment left the pool must shut it down. `now` is in seconds on the loop's clock.
    """

    def __init__(
        self,
        limit: int,
        create: Callable[[], ExecutionEnvironment],
        *,
        idle_timeout_s: float,
        maximum_lifetime_s: float,
    ) -> None:
        self._limit = limit
        self._create = create
        self._idle_timeout_s = idle_timeout_s
        self._maximum_lifetime_s = maximum_lifetime_s
        self.is_closed: bool = False
        self._idle: list[tuple[ExecutionEnvironment, float]] = []  # since when; the longest idle first
        self._busy: set[ExecutionEnvironment] = set()
        self._retired: set[ExecutionEnvironment] = set()  # busy ones that are not to be used again

    @property
    def free(self) -> int:
        """How many invocations could start now."""
        return self._limit - len(self._busy)

    @property
    def has_idle(self) -> bool:
        return bool(self._idle)

    @property
    def is_busy(self) -> bool:
        return bool(self._busy)

    def take(self) -> tuple[ExecutionEnvironment | None, list[ExecutionEnvironment]]:
        """The environment to use, None if all are busy; and those found dead on the way, which left the pool."""
        if len(self._busy) >= self._limit:
            return None, []
        dead = []
        while self._idle:
            environment, _ = self._idle.pop()
            if environment.is_usable:
                break
            dead.append(environment)
        else:
            environment = self._create()
        self._busy.add(environment)
        return environment, dead

    def give_back(self, environment: ExecutionEnvironment, now: float) -> bool:
        """End its turn. False: it was retired, died or is too old, and left the pool."""
        self._busy.remove(environment)
        is_retired = environment in self._retired
        self._retired.discard(environment)
        if is_retired or not environment.is_usable or now >= environment.born_at + self._maximum_lifetime_s:
            return False
        self._idle.append((environment, now))
        return True

    def next_expiry(self) -> float | None:
        """When the first idle environment is to go, None while there is none."""
        return min((self.expiry(*each) for each in self._idle), default=None)

    def expire(self, now: float) -> list[ExecutionEnvironment]:
        """The idle environments whose time is over; they left the pool."""
        gone = [each for each in self._idle if self.expiry(*each) <= now]
        self._idle = [each for each in self._idle if each not in gone]
        return [environment for environment, _ in gone]

    def retire_all(self) -> list[ExecutionEnvironment]:
        """Use none of today's environments again: the idle ones left the pool, the busy ones will when given back."""
        gone = [environment for environment, _ in self._idle]
        self._idle = []
        self._retired = set(self._busy)
        return gone

    def resize(self, limit: int, *, idle_timeout_s: float, maximum_lifetime_s: float) -> None:
        """Go on with other bounds. A lower limit holds at once: environments that are busy still count."""
        self._limit = limit
        self._idle_timeout_s = idle_timeout_s
        self._maximum_lifetime_s = maximum_lifetime_s

    def close(self) -> list[ExecutionEnvironment]:
        """All environments, busy ones too; the pool starts none afterwards."""
        self._limit = 0
        self.is_closed = True
        return [*self.retire_all(), *self._busy]

    def expiry(self, environment: ExecutionEnvironment, idle_since: float) -> float:
        """When it is to go, if it stays idle."""
        return min(idle_since + self._idle_timeout_s, environment.born_at + self._maximum_lifetime_s)
