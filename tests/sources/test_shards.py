"""What both kinds of stream share: listing shards once for all, and following the iterators of one shard."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from eventmap import telemetry
from eventmap.clock import elapsed_s, wall_time_s
from eventmap.errors import (
    AccessRefused,
    IteratorExpired,
    RecordsTrimmed,
    ShardGone,
    SourceError,
    StreamNotFound,
    TransientSourceError,
)
from eventmap.model import StreamRecord
from eventmap.shard import Page, Position, Shard
from eventmap.sources._shards import IteratorReader, ShardDirectory, records_of

pytestmark = pytest.mark.virtual_time

HORIZON = Position("TRIM_HORIZON")


class Listing:
    """Counts how often it is asked; each answer takes `takes_s` seconds and names the time it was begun."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.fails: list[SourceError] = []

    async def __call__(self) -> tuple[Shard, ...]:
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        number = self.calls
        try:
            await anyio.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        if self.fails:
            raise self.fails.pop(0)
        return (Shard(f"listing-{number}"),)


async def test_str_156_shards_are_listed_once_a_minute_for_all() -> None:
    """STR-156: within 60 seconds everybody gets the same listing, then a new one; `fresh` does not wait for that."""
    listing = Listing()
    directory = ShardDirectory(listing)

    first = await directory.shards()
    await anyio.sleep(59.9)
    assert await directory.shards() is first
    await anyio.sleep(0.1)
    assert await directory.shards() == (Shard("listing-2"),)
    assert await directory.shards(fresh=True) == (Shard("listing-3"),)
    assert await directory.shards() == (Shard("listing-3"),)

    assert listing.calls == 3


async def test_str_140_156_whoever_asks_during_a_listing_joins_it() -> None:
    """STR-140, 156: one listing at a time; who wants a fresh one waits for it, who does not takes the last one."""
    listing = Listing(takes_s=2.0)
    directory = ShardDirectory(listing)
    await directory.shards()
    got: list[tuple[str, float]] = []

    async def ask(*, fresh: bool) -> None:
        [shard] = await directory.shards(fresh=fresh)
        got.append((shard.shard_id, elapsed_s() - began))

    began = elapsed_s()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(lambda: ask(fresh=True))
        await anyio.sleep(1.0)
        tasks.start_soon(lambda: ask(fresh=False))
        tasks.start_soon(lambda: ask(fresh=True))

    assert got == [("listing-1", 1.0)] + [("listing-2", 2.0)] * 6
    assert (listing.calls, listing.most_at_once) == (2, 1)


async def test_str_140_a_listing_that_failed_is_nobody_elses() -> None:
    """STR-140: the one who began it hears of the failure; who waited lists again; the next one is not the old one."""
    listing = Listing(takes_s=1.0)
    listing.fails = [TransientSourceError("throttled")]
    directory = ShardDirectory(listing)
    heard: list[str] = []

    async def ask() -> None:
        try:
            heard.append((await directory.shards())[0].shard_id)
        except TransientSourceError as error:
            heard.append(str(error))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)

    assert heard == ["throttled", "listing-2", "listing-2"]


async def test_str_140_a_cancelled_listing_leaves_the_directory_usable() -> None:
    """STR-140: whoever waits when the one that lists is cancelled makes the listing instead."""
    listing = Listing(takes_s=5.0)
    directory = ShardDirectory(listing)

    with anyio.move_on_after(1.0):
        await directory.shards()

    assert await directory.shards() == (Shard("listing-2"),)


async def test_str_156_a_listing_is_as_old_as_its_beginning() -> None:
    """STR-156: what happened while the pages were fetched may be missing, so the age counts from the first call."""
    listing = Listing(takes_s=50.0)
    directory = ShardDirectory(listing)
    await directory.shards()
    await anyio.sleep(10.0)

    assert await directory.shards() == (Shard("listing-2"),)


class Script:
    """A shard that answers as told: each answer is raised if it is an error, and its calls are written down."""

    def __init__(self, *answers: Page | SourceError, opens: tuple[SourceError | None, ...] = ()) -> None:
        self.answers = list(answers)
        self.opens = list(opens)
        self.opened: list[Position] = []
        self.iterators: list[str] = []

    async def open(self, position: Position) -> str:
        await anyio.sleep(0.5)
        self.opened.append(position)
        if self.opens and (error := self.opens.pop(0)):
            raise error
        return f"iterator-{len(self.opened)}"

    async def read(self, iterator: str) -> tuple[Page, str | None]:
        self.iterators.append(iterator)
        answer = self.answers.pop(0)
        if isinstance(answer, SourceError):
            raise answer
        return answer, None if answer.ended else f"{iterator}+"

    def reader(self, position: Position = HORIZON) -> IteratorReader:
        return IteratorReader(self, "shard-1", position, telemetry.logger("eventmap.sources"))


def page(*numbers: int, ended: bool = False) -> Page:
    records = tuple(StreamRecord(str(number), {}, number, "key", 0.0) for number in numbers)
    return Page(records, ended=ended)


def after(number: int) -> Position:
    return Position("AFTER_SEQUENCE_NUMBER", sequence=str(number))


EXPIRED = IteratorExpired("too old", code="ExpiredIteratorException")
TRIMMED = RecordsTrimmed("trimmed", code="TrimmedDataAccessException")


async def test_str_146_153_the_iterator_is_followed_to_the_end() -> None:
    """STR-146, 153: an empty page is no end; the end is a null iterator, and may bring records; then there is none."""
    shard = Script(page(1), page(), page(), page(2, 3, ended=True))
    reader = shard.reader()

    pages = [await reader.read() for _ in range(4)]

    assert [[record.sequence for record in read.records] for read in pages] == [[1], [], [], [2, 3]]
    assert [read.ended for read in pages] == [False, False, False, True]
    assert shard.iterators == ["iterator-1", "iterator-1+", "iterator-1++", "iterator-1+++"]
    assert shard.opened == [HORIZON]
    with pytest.raises(RuntimeError, match="has ended"):
        await reader.read()


@pytest.mark.parametrize(
    "begin", [HORIZON, after(7), Position("AT_TIMESTAMP", timestamp=1_000.0), Position("AT_SEQUENCE_NUMBER", "7")]
)
async def test_str_154_an_expired_iterator_is_replaced(begin: Position) -> None:
    """STR-154: where reading began if nothing was delivered yet, empty pages or not; else after the last record."""
    shard = Script(page(), EXPIRED, page(8, 9), page(), EXPIRED, page(10))
    reader = shard.reader(begin)

    got = [[record.sequence for record in (await reader.read()).records] for _ in range(4)]

    assert got == [[], [8, 9], [], [10]]
    assert shard.opened == [begin, begin, after(9)]


async def test_str_21_154_latest_means_when_reading_began() -> None:
    """STR-154: LATEST opened a second time would lose what came between, so it is asked for by time: of the first."""
    shard = Script(page(), EXPIRED, page(), EXPIRED, page(5), EXPIRED, page())
    reader = shard.reader(Position("LATEST"))
    began_at = wall_time_s()

    for _ in range(4):
        await reader.read()
        await anyio.sleep(300.0)

    first, second, third, fourth = shard.opened
    assert first == Position("LATEST")
    assert second == third == Position("AT_TIMESTAMP", timestamp=second.timestamp)
    assert second.timestamp == pytest.approx(began_at, abs=0.001) and (second.timestamp or 0) <= began_at
    assert fourth == after(5)


async def test_str_154_latest_that_was_never_opened_is_still_latest() -> None:
    """STR-154: no iterator, no beginning: the first success decides."""
    shard = Script(page(), opens=(TransientSourceError("throttled"),))
    reader = shard.reader(Position("LATEST"))

    with pytest.raises(TransientSourceError):
        await reader.read()
    await reader.read()

    assert shard.opened == [Position("LATEST"), Position("LATEST")]


@pytest.mark.parametrize("at_opening", [True, False])
async def test_str_155_trimmed_records_are_stepped_over_and_logged(
    at_opening: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """STR-155: whether the iterator or the read is refused, reading goes on at the trim horizon and says so, once."""
    shard = Script(page(9), opens=(TRIMMED,)) if at_opening else Script(TRIMMED, page(9))
    reader = shard.reader(after(7))

    read = await reader.read()

    assert [record.sequence for record in read.records] == [9]
    assert shard.opened == [after(7), HORIZON]
    assert _logged(caplog) == [("records.trimmed", logging.ERROR, "shard-1", "7")]


async def test_str_20_155_a_time_before_the_horizon_is_the_horizon() -> None:
    """STR-20, 155: a reader that began by time stays with it: what it skips on the way is still to be skipped."""
    shard = Script(TRIMMED, page(9))
    begin = Position("AT_TIMESTAMP", timestamp=1_000.0)

    await shard.reader(begin).read()

    assert shard.opened == [begin, begin]


async def test_str_154_155_expired_and_then_trimmed_is_one_read() -> None:
    """STR-154, 155: the iterator expired over night, and the position behind it is trimmed: nothing is raised."""
    shard = Script(EXPIRED, TRIMMED, page(9))

    read = await shard.reader(after(7)).read()

    assert [record.sequence for record in read.records] == [9]
    assert shard.opened == [after(7), after(7), HORIZON]


async def test_str_154_iterators_that_expire_at_once_do_not_loop_for_ever() -> None:
    """STR-154: after three of them the read is given up and may be repeated, as a throttled one."""
    shard = Script(EXPIRED, EXPIRED, EXPIRED, page(8))
    reader = shard.reader(after(7))

    with pytest.raises(TransientSourceError, match=r"shard-1.*too old"):
        await reader.read()

    assert [record.sequence for record in (await reader.read()).records] == [8]


@pytest.mark.parametrize("at_opening", [True, False])
async def test_str_152_a_shard_that_is_gone_has_ended(at_opening: bool, caplog: pytest.LogCaptureFixture) -> None:
    """STR-152: trimmed away as a whole, it holds nothing to wait for; what was not read is lost, and that is logged."""
    gone = ShardGone("no such shard", code="ResourceNotFoundException")
    shard = Script(opens=(gone,)) if at_opening else Script(gone)
    reader = shard.reader(after(7))

    assert await reader.read() == Page((), ended=True)

    assert _logged(caplog) == [("records.trimmed", logging.ERROR, "shard-1", "7")]
    with pytest.raises(RuntimeError, match="has ended"):
        await reader.read()


async def test_str_143_a_throttled_read_is_raised_and_skips_nothing() -> None:
    """STR-143: a throttled, lost or forbidden read is the caller's to pace; the same iterator is read again."""
    shard = Script(TransientSourceError("throttled"), AccessRefused("denied"), page(8))
    reader = shard.reader(after(7))

    with pytest.raises(TransientSourceError):
        await reader.read()
    with pytest.raises(AccessRefused):
        await reader.read()

    assert [record.sequence for record in (await reader.read()).records] == [8]
    assert shard.iterators == ["iterator-1"] * 3
    assert shard.opened == [after(7)]


@pytest.mark.parametrize("refusal", [SourceError("invalid iterator"), StreamNotFound("no such stream")])
async def test_str_154_a_refused_iterator_is_not_used_again(refusal: SourceError) -> None:
    """A server that forgot its iterators refuses them for ever: the refusal is raised, the next read opens anew."""
    shard = Script(page(8), refusal, page(9))
    reader = shard.reader()
    await reader.read()

    with pytest.raises(type(refusal)):
        await reader.read()

    assert [record.sequence for record in (await reader.read()).records] == [9]
    assert shard.opened == [HORIZON, after(8)]


@pytest.mark.parametrize("code", ["InvalidArgumentException", "ValidationException"])
async def test_str_201_a_checkpoint_of_another_stream_stops_the_reader(code: str) -> None:
    """STR-201: it must not be overwritten by a guess; every read says the same, and what to do."""
    refused = SourceError("invalid sequence number", code=code)
    shard = Script(opens=(refused, refused))
    reader = shard.reader(after(7))

    for _ in range(2):
        with pytest.raises(
            SourceError, match=r"checkpoint 7 is not of shard shard-1.*another stream; reset it"
        ) as told:
            await reader.read()
        assert told.value.code == code

    assert shard.opened == [after(7), after(7)]


async def test_str_201_a_refusal_of_something_else_is_passed_on() -> None:
    """STR-201: without a sequence number in the call it is not the checkpoint's fault."""
    shard = Script(opens=(SourceError("timestamp in the future", code="InvalidArgumentException"),))

    with pytest.raises(SourceError, match=r"^timestamp in the future$"):
        await shard.reader(Position("AT_TIMESTAMP", timestamp=9e9)).read()


async def test_str_201_a_cancelled_read_has_delivered_nothing() -> None:
    """STR-201: cut off while it opens or reads, the next read returns what it would have."""
    shard = Script(page(8))
    reader = shard.reader(after(7))

    with anyio.move_on_after(0.1):
        await reader.read()

    assert [record.sequence for record in (await reader.read()).records] == [8]


@pytest.mark.parametrize("answer", [{}, {"Records": None}, {"Records": [{}]}, {"Records": [{"n": "x"}]}])
async def test_an_answer_in_another_shape_is_an_error_of_the_source(answer: dict[str, Any]) -> None:
    """A server that answers something else is reported; it does not end the loop with a KeyError."""

    def convert(raw: dict[str, Any]) -> StreamRecord:
        return StreamRecord("", {}, int(raw["n"]), "", 0.0)

    with pytest.raises(SourceError, match="not in AWS' shape"):
        records_of(answer, convert)


def _logged(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    fields = [(record, getattr(record, "eventmap_fields", {})) for record in caplog.records]
    return [
        (getattr(record, "eventmap_event", None), record.levelno, told["shard"], told["position"])
        for record, told in fields
    ]
