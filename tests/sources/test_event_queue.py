"""The queue that holds a fleet's events: found, made, refused, sent to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from eventmap.errors import ConfigurationError, InvalidParameterValue, QueueNotFound, SourceError, TransientSourceError
from eventmap.sources.event_queue import EventSender, event_queue_name, prepare_event_queue
from eventmap.testing import FaultyQueue, MemorySqs
from tests.testing.queues import queue, redrive

pytestmark = pytest.mark.virtual_time


async def test_a_queue_that_does_not_exist_is_made(memory_sqs: MemorySqs) -> None:
    """Its visibility outlives the function, its messages live for 14 days; the next worker finds it."""
    made = await prepare_event_queue(memory_sqs, "events", 30)
    found = await prepare_event_queue(memory_sqs, "events", 30)

    attributes = await memory_sqs.get_queue_attributes(made.url)
    assert (attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"]) == ("90", "1209600")
    assert found == made
    assert (made.visibility_timeout_s, made.fifo, made.maximum_receive_count) == (90, False, None)


async def test_a_queue_that_exists_is_taken_as_it_is(memory_sqs: MemorySqs) -> None:
    """If it will do."""
    url = queue(memory_sqs, "events", VisibilityTimeout="3").url

    assert (await prepare_event_queue(memory_sqs, "events", 3)).visibility_timeout_s == 3
    assert (await prepare_event_queue(memory_sqs, "events", 3, url=url)).url == url


async def test_a_queue_that_would_lose_or_repeat_events_is_refused(memory_sqs: MemorySqs) -> None:
    """By its redrive policy, its visibility, its retention."""
    queue(memory_sqs, "dead")
    queue(memory_sqs, "stealing", RedrivePolicy=redrive("dead", 3))
    queue(memory_sqs, "hasty", VisibilityTimeout="2")
    queue(memory_sqs, "forgetful", MessageRetentionPeriod="600")

    for name, words in (("stealing", "redrive policy"), ("hasty", "raise it to 63 s"), ("forgetful", "600 s only")):
        with pytest.raises(InvalidParameterValue, match=words):
            await prepare_event_queue(memory_sqs, name, 3)


async def test_a_fifo_queue_is_refused_before_anything_is_made(memory_sqs: MemorySqs) -> None:
    """Its messages cannot be delayed one by one."""
    with pytest.raises(InvalidParameterValue, match="FIFO"):
        await prepare_event_queue(memory_sqs, "events.fifo", 3)

    with pytest.raises(QueueNotFound):
        await memory_sqs.get_queue_url("events.fifo")


async def test_another_accounts_queue_is_not_made_in_ours(memory_sqs: MemorySqs) -> None:
    """It is missing there, not here."""
    with pytest.raises(QueueNotFound):
        await prepare_event_queue(memory_sqs, "events", 3, owner="210987654321")


async def test_a_queue_that_another_worker_makes_in_the_same_moment_is_shared(memory_sqs: MemorySqs) -> None:
    """That one was of a newer version of the function, with a longer timeout."""

    class Raced(FaultyQueue):
        async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
            queue(memory_sqs, name, VisibilityTimeout="900")
            return await super().create_queue(name, attributes)

    described = await prepare_event_queue(Raced(memory_sqs, seed=1), "events", 3)

    assert described.visibility_timeout_s == 900


async def test_a_queue_that_may_not_be_made_says_so(memory_sqs: MemorySqs) -> None:
    """Nothing is hidden by the looking up again."""

    class Denied(FaultyQueue):
        async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
            raise SourceError("no", code="AccessDenied")

    with pytest.raises(SourceError, match="no"):
        await prepare_event_queue(Denied(memory_sqs, seed=1), "events", 3)


@pytest.mark.parametrize(
    ("pattern", "functions", "name"), [("events", 1, "events"), ("events-{function}", 3, "events-work")]
)
def test_each_function_has_a_queue_of_its_own(pattern: str, functions: int, name: str) -> None:
    """By its name in the pattern."""
    assert event_queue_name(pattern, "work", functions=functions) == name


def test_several_functions_do_not_share_a_queue() -> None:
    """What to write instead is said."""
    with pytest.raises(ConfigurationError, match=r"sqs:events-\{function\}"):
        event_queue_name("events", "work", functions=2)


@pytest.mark.parametrize(("code", "may_be_tried_again"), [("InternalError", True), ("InvalidMessageContents", False)])
async def test_inv_40_a_message_that_is_not_confirmed_is_not_sent(
    memory_sqs: MemorySqs, code: str, may_be_tried_again: bool
) -> None:
    """The answer is a success, its only entry is not."""

    class Failing(FaultyQueue):
        async def send_message_batch(self, queue_url: str, entries: object) -> dict[int, str]:
            return {0: code}

    described = await prepare_event_queue(memory_sqs, "events", 3)
    send = EventSender(Failing(memory_sqs, seed=1), described)

    with pytest.raises(SourceError, match=code) as failure:
        await send("{}", {}, delay_s=0)

    assert isinstance(failure.value, TransientSourceError) == may_be_tried_again
