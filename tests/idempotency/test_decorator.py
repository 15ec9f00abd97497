"""@idempotent on `def` handlers, on records of a batch, and what it refuses."""

from __future__ import annotations

import functools
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from eventmap import each_record
from eventmap.clock import wall_time_s
from eventmap.errors import ConfigurationError, HandlerBatchFailed, TransientSourceError
from eventmap.idempotency import (
    AlreadyInProgress,
    ClaimLost,
    KeyNotFound,
    KeyReused,
    MemoryStore,
    ResultNotStorable,
    idempotent,
)
from eventmap.rules.idempotency import MARGIN_S, Claimed, Done
from eventmap.testing import VirtualTimeLoop

from .faults import FaultyStore


@dataclass
class Context:
    """What a handler under `@idempotent` is asked about."""

    remaining_ms: int = 30_000
    function_name: str = "orders"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def age(store: MemoryStore, seconds: float) -> None:
    """Let so many seconds pass for what is in it."""
    for key, entry in store.entries.items():
        store.entries[key] = replace(entry, until_s=entry.until_s - seconds)


def only_entry(store: MemoryStore) -> Claimed | Done:
    [entry] = store.entries.values()
    return entry


def message(number: int, body: str = "{}", receipt: str = "r") -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": receipt,
        "body": body,
        "attributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:1:orders",
    }


def test_a_handler_runs_once_per_key() -> None:
    """Every later call is answered the first one's result, a value of its own."""
    runs: list[int] = []

    @idempotent(MemoryStore(), key="order.id", scope="orders")
    def handler(event: Any, context: Any) -> Any:
        runs.append(event["order"]["id"])
        return {"run": len(runs), "items": (1, 2)}

    first = handler({"order": {"id": 1}}, None)
    first["items"].append(3)

    assert handler({"order": {"id": 1}}, None) == {"run": 1, "items": [1, 2]}
    assert handler({"order": {"id": 2}}, None)["run"] == 2
    assert handler({"order": {"id": 1}, "sent": "again"}, None)["run"] == 1
    assert runs == [1, 2]


def test_an_event_is_its_own_key_by_default() -> None:
    """Whatever the order of its fields; None is a result like any other."""
    runs: list[Any] = []

    @idempotent(MemoryStore(), scope="orders")
    def handler(event: Any, context: Any) -> None:
        runs.append(dict(event))
        event.clear()  # handlers do

    for event in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}):
        assert handler(event, None) is None  # type: ignore[func-returns-value]

    assert runs == [{"a": 1, "b": 2}, {"a": 1}]


async def test_a_result_is_answered_for_its_time(virtual_time: VirtualTimeLoop) -> None:
    """And the key runs again when that is over."""
    runs: list[int] = []

    @idempotent(MemoryStore(), expires_after_s=60, scope="orders")
    def handler(event: Any, context: Any) -> int:
        runs.append(1)
        return len(runs)

    answers = []
    for pause_s in (0, 59, 2, 59):
        await anyio.sleep(pause_s)
        answers.append(handler({}, None))

    assert answers == [1, 1, 2, 2]


def test_each_record_of_a_batch_runs_once() -> None:
    """Of a batch that comes again only the records run that have not committed; the others are done."""
    store, runs, broken = MemoryStore(), [], {"m2"}

    @each_record
    @idempotent(store, scope="orders")
    def handler(record: Any, context: Any) -> None:
        runs.append(record["messageId"])
        if record["messageId"] in broken:
            raise ValueError("not today")

    first = handler({"Records": [message(1), message(2), message(3)]}, Context())
    broken.clear()
    again = handler({"Records": [message(2, receipt="r2"), message(1, receipt="r2"), message(4)]}, Context())

    assert first == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert again == {"batchItemFailures": []}
    assert runs == ["m1", "m2", "m3", "m2", "m4"]


def test_a_record_another_worker_runs_is_retried_by_its_source() -> None:
    """It is the only one that fails."""
    store = MemoryStore()

    @idempotent(store, scope="orders")
    def handle(record: Any, context: Any) -> None:
        if record["messageId"] == "m1":
            answers.append(handler({"Records": [message(1), message(2)]}, Context()))

    handler, answers = each_record(handle), []

    handle(message(1), Context())

    assert answers == [{"batchItemFailures": [{"itemIdentifier": "m1"}]}]


def test_a_whole_batch_needs_a_key_that_is_said() -> None:
    """It may come back in another composition."""
    runs: list[int] = []

    @idempotent(MemoryStore(), scope="orders")
    def handler(event: Any, context: Any) -> None:
        runs.append(1)

    with pytest.raises(KeyNotFound, match="put @each_record above @idempotent"):
        handler({"Records": [message(1)]}, Context())
    assert runs == []


def test_a_decorated_batch_handler_still_reports_item_failures() -> None:
    """What mappings read from the handler passes through."""
    handler = idempotent(MemoryStore(), key="id", scope="orders")(each_record(lambda record, context: None))

    assert handler.function_response_types == ["ReportBatchItemFailures"]
    with pytest.raises(HandlerBatchFailed):
        each_record(idempotent(MemoryStore(), key="nowhere", scope="orders")(lambda record, context: None))(
            {"Records": [message(1)]}, None
        )


def test_a_handler_that_raises_gives_its_key_back() -> None:
    """SystemExit too; a retry runs at once."""
    store, errors = MemoryStore(), [ValueError("no"), SystemExit(3)]

    @idempotent(store, scope="orders")
    def handler(event: Any, context: Any) -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    with pytest.raises(ValueError, match="no"):
        handler({}, Context())
    assert store.entries == {}
    with pytest.raises(SystemExit):
        handler({}, Context())

    assert handler({}, Context()) == "done"


async def test_a_claim_ends_with_its_invocation(virtual_time: VirtualTimeLoop) -> None:
    """And a margin; without an invocation after `claim_s`. Until then AlreadyInProgress says how long it may take."""
    store, seen = MemoryStore(), []

    @idempotent(store, claim_s=77, scope="orders")
    def handler(event: Any, context: Any) -> None:
        seen.append(only_entry(store).until_s)
        with pytest.raises(AlreadyInProgress, match="is being run by another call, for ") as busy:
            handler(event, context)
        seen.append(busy.value.for_s)

    now = wall_time_s()  # stands still
    handler({}, Context(remaining_ms=5_000))
    store.entries.clear()
    handler({}, None)

    assert seen == [now + 5 + MARGIN_S, 5 + MARGIN_S, now + 77, 77]


def test_who_was_too_slow_learns_that_its_claim_is_lost() -> None:
    """Its result is nobody's; the one that began in its place is answered from then on."""
    store, runs = MemoryStore(), []

    @idempotent(store, scope="orders")
    def handler(event: Any, context: Any) -> str:
        runs.append(1)
        if len(runs) == 1:
            age(store, 12)
            assert handler(event, context) == "second"
            return "first"
        return "second"

    with pytest.raises(ClaimLost, match=r"another call may have begun in its place.*is not undone"):
        handler({}, Context(remaining_ms=10_000))

    assert handler({}, Context()) == "second"


def test_a_late_result_that_nobody_overtook_counts() -> None:
    """It is done, and need not run again."""
    store, runs = MemoryStore(), []

    @idempotent(store, scope="orders")
    def handler(event: Any, context: Any) -> int:
        age(store, 100)
        runs.append(1)
        return len(runs)

    assert handler({}, Context(remaining_ms=10_000)) == 1

    assert handler({}, Context()) == 1


def test_a_second_call_may_wait_for_the_result_of_the_first() -> None:
    """Threads of one process, say."""
    store, begun, runs = MemoryStore(), threading.Event(), []

    @idempotent(store, wait_s=30, scope="orders")
    def handler(event: Any, context: Any) -> int:
        runs.append(1)
        begun.set()
        threading.Event().wait(0.2)
        return len(runs)

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(handler, {}, Context())
        assert begun.wait(10)
        others = [threads.submit(handler, {}, Context()) for _ in range(2)]

    assert [call.result() for call in (first, *others)] == [1, 1, 1]


def test_nobody_waits_longer_than_its_own_invocation_lasts() -> None:
    """It would be timed out instead of answered."""
    store = MemoryStore()

    @idempotent(store, wait_s=3600, scope="orders")
    def handler(event: Any, context: Any) -> None:
        with pytest.raises(AlreadyInProgress):
            handler(event, Context(remaining_ms=1_100))

    handler({}, Context())


def test_one_key_stands_for_one_payload() -> None:
    """Where a checksum is asked for; what it does not look at may differ."""
    store = MemoryStore()

    @idempotent(store, key="messageId", checksum="body", scope="orders")
    def handler(record: Any, context: Any) -> str:
        return str(record["body"])

    assert handler(message(1, "a"), Context()) == "a"
    assert handler(message(1, "a", receipt="r2"), Context()) == "a"
    with pytest.raises(KeyReused, match="was used with another payload"):
        handler(message(1, "b"), Context())
    assert handler(message(1, "a"), Context()) == "a"


def test_a_result_that_is_not_json_is_refused_and_the_key_given_back() -> None:
    """Before anything is committed."""
    store = MemoryStore()

    @idempotent(store, scope="orders")
    def handler(event: Any, context: Any) -> object:
        return object()

    with pytest.raises(ResultNotStorable, match="of type object, cannot be kept"):
        handler({}, Context())
    assert store.entries == {}


def test_a_lost_answer_is_not_taken_for_anothers_claim() -> None:
    """The client asks again, and finds its own token; the handler runs once, and is answered."""
    faulty, runs = FaultyStore(MemoryStore(), lost_answers=0.5, repeats=20, seed=1), []

    @idempotent(faulty, key="id", scope="orders")
    def handler(event: Any, context: Any) -> int:
        runs.append(event["id"])
        return int(event["id"])

    for number in (*range(50), *range(50)):
        assert handler({"id": number}, Context()) == number

    assert runs == list(range(50))
    assert faulty.injected["lost_answers"] > 50


def test_a_claim_without_an_answer_is_given_back() -> None:
    """It may stand all the same, and nobody runs under it."""
    store = MemoryStore()
    handler = idempotent(FaultyStore(store, lost_answers=1.0, only=("claim",)), scope="orders")(
        lambda event, context: 1
    )

    with pytest.raises(TransientSourceError):
        handler({}, Context())

    assert store.entries == {}


def test_a_commit_without_an_answer_is_an_error_and_may_have_happened() -> None:
    """Then the retry is answered; the key is not given back, for it has been committed."""
    store, runs = MemoryStore(), []

    def handle(event: Any, context: Any) -> int:
        runs.append(1)
        return len(runs)

    with pytest.raises(TransientSourceError):
        idempotent(FaultyStore(store, lost_answers=1.0, only=("commit",)), scope="orders")(handle)({}, Context())

    assert idempotent(store, scope="orders")(handle)({}, Context()) == 1


def test_what_the_handler_raised_is_heard_though_the_key_cannot_be_given_back(caplog: pytest.LogCaptureFixture) -> None:
    """Operators are told: others wait until the claim expires."""
    store = FaultyStore(MemoryStore(), throttle=1.0, only=("release",))

    @idempotent(store, scope="orders")
    def handler(event: Any, context: Any) -> None:
        raise ValueError("no")

    with caplog.at_level(logging.WARNING, "eventmap"), pytest.raises(ValueError, match="no"):
        handler({}, Context())

    [record] = caplog.records
    assert record.eventmap_event == "claim.unreleased"  # type: ignore[attr-defined]
    with pytest.raises(AlreadyInProgress):
        handler({}, Context())


def named(event: Any, context: Any) -> str:
    return "named"


def test_handlers_do_not_share_their_keys() -> None:
    """Nor do functions that run the same handler; a key is a digest, and names nobody."""
    store = MemoryStore()

    idempotent(store, key="mail")(named)({"mail": "ada@example.com"}, Context())
    idempotent(store, key="mail")(named)({"mail": "ada@example.com"}, Context(function_name="returns"))
    idempotent(store, key="mail")(named)({"mail": "ada@example.com"}, None)
    idempotent(store, key="mail", scope="mine")(named)({"mail": "ada@example.com"}, None)

    prefixes = [key.partition("#")[0] for key in store.entries]
    name = f"{__name__}.named"
    assert prefixes == [f"orders.{name}", f"returns.{name}", name, "mine"]
    assert "ada" not in "".join(store.entries)


@pytest.mark.parametrize("handler", [lambda event, context: "named", functools.partial(named)])
def test_a_handler_that_others_may_be_called_like_needs_a_scope(handler: Any) -> None:
    """A function within a function may exist several times, with keys of their own."""
    with pytest.raises(ConfigurationError, match="so say scope= to @idempotent"):
        idempotent(MemoryStore())(handler)
    assert idempotent(MemoryStore(), scope="orders")(handler)({"id": 1}, None) == "named"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"expires_after_s": 0}, "expires_after_s must be above 0"),
        ({"expires_after_s": float("inf")}, "at most ten years"),
        ({"claim_s": -1}, "claim_s must be above 0"),
        ({"claim_s": float("nan")}, "claim_s must be above 0"),
        ({"wait_s": -1}, "wait_s must be 0 or more"),
        ({"wait_s": float("inf")}, "wait_s must be 0 or more"),
        ({"key": "a..b"}, "is not a dotted path"),
        ({"checksum": ""}, "is not a dotted path"),
        ({"scope": ""}, "scope must have 1 to 1024"),
        ({"scope": "x" * 1025}, "not 1025"),
    ],
)
def test_settings_are_checked_when_they_are_declared(settings: dict[str, Any], said: str) -> None:
    """Before any event comes."""
    with pytest.raises(ConfigurationError, match=said):
        idempotent(MemoryStore(), **settings)(named)


def test_what_a_key_function_raises_passes_through() -> None:
    """It is the user's own."""
    handler = idempotent(MemoryStore(), key=lambda event: event["id"], scope="orders")(named)

    with pytest.raises(KeyError, match="id"):
        handler({}, None)


def test_importing_idempotency_imports_nothing_heavy() -> None:
    """A handler pays for the store it has, when it is used."""
    heavy = ("aiohttp", "aioboto3", "boto3", "botocore", "anyio", "orjson", "structlog", "jmespath", "typer")
    code = (
        "import sys; from eventmap.idempotency import idempotent, SqliteStore, DynamoDbStore; "
        f"DynamoDbStore('t'); print([name for name in {heavy!r} if name in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_every_public_name_leads_somewhere() -> None:
    """And one that is not there says so."""
    from eventmap import idempotency

    assert all(getattr(idempotency, name) is not None for name in idempotency.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        _ = idempotency.Nope
