"""The laws of idempotency over random histories: crashes, lost and late requests, clocks that are wrong.

Workers take steps in a random order on one store; what each did is written down with the true time, and judged in
the end.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from eventmap.idempotency.memory import MemoryStore
from eventmap.rules.idempotency import Answered, Busy, Claimed, Done, Won, verdict

KEYS = ("a", "b")
EXPIRES_S = 40.0
CLAIM_S = 8.0
STEPS = 250
SEEDS = range(400)


@dataclass
class History:
    """What happened, in true seconds."""

    now: float = 1_000.0
    runs: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # begun, by key, as tokens
    commits: dict[str, list[tuple[float, Done]]] = field(default_factory=lambda: defaultdict(list))
    answers: list[tuple[float, Done, Done | None]] = field(default_factory=list)  # asked when, answer, last commit
    waits: list[tuple[float, Claimed]] = field(default_factory=list)  # asked when, for whom
    lost: list[str] = field(default_factory=list)  # tokens told that their claim was
    claimed_at: dict[str, float] = field(default_factory=dict)  # first request, by token


class World:
    """A store, its requests under way, and the workers' steps."""

    def __init__(self, seed: int, skew_s: float) -> None:
        self.dice = random.Random(seed)
        self.skew_s = skew_s
        self.store = MemoryStore()
        self.history = History()
        self.late: list[Callable[[], object]] = []  # copies of requests that arrive some time
        self.tokens = map("token-{}".format, itertools.count())

    def play(self) -> History:
        workers: list[Iterator[None]] = []
        for _ in range(STEPS):
            self.history.now += self.dice.choice([0.0, 0.01, 0.5, 3.0])
            if len(workers) < 4:
                workers.append(self.worker(self.dice.uniform(-self.skew_s, self.skew_s)))
            worker = self.dice.choice(workers)
            if self.dice.random() < 0.03 or next(worker, StopIteration) is StopIteration:  # it crashes, or is done
                workers.remove(worker)
            if self.late and self.dice.random() < 0.2:
                self.late.pop(self.dice.randrange(len(self.late)))()
        return self.history

    def worker(self, skew_s: float) -> Iterator[None]:
        """One call of a handler, one step at a time."""
        history, key, token = self.history, self.dice.choice(KEYS), next(self.tokens)
        now = history.now + skew_s
        claim = Claimed(token, now + CLAIM_S)
        history.claimed_at[token] = history.now
        self.copied(lambda: self.store.claim(key, claim, now))
        if self.dice.random() < 0.2:  # the first answer is lost, the client asks again
            self.store.claim(key, claim, now)
            yield
        standing = self.store.claim(key, claim, now)
        match verdict(standing, claim), standing:
            case Answered(), Done():
                last = history.commits[key][-1][1] if history.commits[key] else None
                history.answers.append((now - skew_s, standing, last))
                return
            case Busy(), Claimed():
                history.waits.append((now - skew_s, standing))
                return
            case Won(), _:
                history.runs[key].append(token)
        for _ in range(self.dice.randrange(6)):  # sometimes longer than its claim
            yield
        if self.dice.random() < 0.2:  # it raises
            self.copied(lambda: self.store.release(key, token))
            self.store.release(key, token)
            return
        done = Done(token, history.now + skew_s + EXPIRES_S, f"result of {token}")
        self.copied(lambda: self.store.commit(key, done))
        if self.dice.random() < 0.2:
            first = self.store.commit(key, done)
            if first:
                history.commits[key].append((history.now, done))
            yield
            assert self.store.commit(key, done) or not first or history.now + self.skew_s >= done.until_s
            return
        if self.store.commit(key, done):
            history.commits[key].append((history.now, done))
        else:
            history.lost.append(token)
        yield

    def copied(self, request: Callable[[], object]) -> None:
        if self.dice.random() < 0.1:
            self.late.append(request)


@pytest.mark.parametrize("skew_s", [0.0, 30.0])
def test_of_all_histories_one_live_claim_commits(skew_s: float) -> None:
    """Clocks may be wrong by half a minute: a key may run twice then, and still one result stands at a time."""
    commits = lost = answers = runs = waits = 0
    for seed in SEEDS:
        history = World(seed, skew_s).play()
        for key in KEYS:
            stood = [done.token for _, done in history.commits[key]]
            # No run commits twice, none commits that did not begin, and not one of those told of their loss.
            assert len(set(stood)) == len(stood), seed
            assert set(stood) <= set(history.runs[key]), seed
            assert not set(stood) & set(history.lost), seed
            # A result stands its whole time, give or take what clocks differ.
            for (_, earlier), (later_at, _) in itertools.pairwise(history.commits[key]):
                assert later_at >= earlier.until_s - 2 * skew_s, seed
            runs += len(history.runs[key])
            commits += len(stood)
        # Who is answered is answered the result that stands, and it has not been over for longer than clocks differ.
        for asked_at, answer, last in history.answers:
            assert answer == last, seed
            assert asked_at < answer.until_s + skew_s, seed
        # A claim, of a crashed call or not, keeps others away until its deadline and no longer.
        for asked_at, other in history.waits:
            assert other.until_s <= history.claimed_at[other.token] + CLAIM_S + skew_s, seed
            assert asked_at < other.until_s + skew_s, seed
        lost, answers, waits = lost + len(history.lost), answers + len(history.answers), waits + len(history.waits)
    # The histories are not empty of what they are about.
    assert min(runs - commits, commits, lost, answers, waits) > 300
