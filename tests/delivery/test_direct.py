"""Slots that are had now or not at all, and the invocations they are for."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.delivery.direct import DirectInvocation
from eventmap.delivery.slots import FunctionSlots, Reservation
from eventmap.function import Function
from eventmap.model import Event, JsonObject, Refused, Response, Returned, Stream
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from tests.runtime.running import Unread

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


def test_one_slot_now_or_none() -> None:
    """Within the function's limit and the share's own; what is given back is free at once."""
    function = FunctionSlots(2)
    first, second = function.share(), function.share(1)

    one, two = first.try_reserve(), second.try_reserve()

    assert one is not None and two is not None
    assert (one.count, two.count) == (1, 1)
    assert first.try_reserve() is second.try_reserve() is None
    one.give_back()
    assert second.try_reserve() is None  # its own cap
    assert first.try_reserve() is not None
    assert FunctionSlots(0).share().try_reserve() is None


async def test_a_slot_that_an_idle_receive_lends_is_borrowed() -> None:
    """SQS-38 for callers: an idle long poll keeps nobody out, and gets back what was not borrowed."""
    function = FunctionSlots(2)
    mapping, callers = function.share(), function.share()
    lent = await mapping.reserve(2)
    assert callers.try_reserve() is None

    lent.lend()
    borrowed = callers.try_reserve()
    lent.recall()

    assert borrowed is not None
    assert (lent.count, mapping.held, callers.held) == (1, 1, 1)
    lent.give_back()
    borrowed.give_back()
    assert (mapping.held, callers.held) == (0, 0)


async def test_a_slot_given_back_goes_to_who_waits() -> None:
    """Callers do not overtake a mapping that waits, since they never wait."""
    function = FunctionSlots(1)
    mapping, callers = function.share(), function.share()
    held = callers.try_reserve()
    assert held is not None
    got: list[Reservation] = []

    async def wait() -> None:
        got.append(await mapping.reserve(1))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        held.give_back()
        assert callers.try_reserve() is None

    assert [reservation.count for reservation in got] == [1]


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60), st.integers(0, 5))
def test_there_are_never_more_than_the_limit(steps: list[tuple[int, bool]], limit: int) -> None:
    """Whoever takes and gives back, in any order."""
    function = FunctionSlots(limit)
    shares = [function.share(), function.share(2), function.share()]
    held: list[list[Reservation]] = [[], [], []]

    for number, takes in steps:
        if takes:
            reservation = shares[number].try_reserve()
            total = sum(map(len, held))
            assert (reservation is None) == (total >= limit or (number == 1 and len(held[1]) >= 2))
            if reservation is not None:
                held[number].append(reservation)
        elif held[number]:
            held[number].pop().give_back()
        assert [share.held for share in shares] == [len(each) for each in held]


async def accept(payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
    return True


class Scripted:
    """A function that answers, or waits."""

    arn = ARN

    def __init__(self, response: Response | None = None) -> None:
        self.response = response
        self.given: list[tuple[str | None, str | None, str]] = []

    async def invoke(
        self,
        event: Event,
        *,
        request_id: str | None = None,
        client_context: JsonObject | None = None,
        invoked_arn: str | None = None,
        trace_id: str = "",
        stream: Stream | None = None,
    ) -> Response:
        self.given.append((request_id, invoked_arn, trace_id))
        if self.response is None:
            await anyio.sleep_forever()
        assert self.response is not None
        return self.response


def direct(runtime: object, slots: FunctionSlots, **settings: object) -> DirectInvocation:
    function = Function(handler=print, function_name="orders", aliases=["live"], **settings)  # type: ignore[arg-type]
    return DirectInvocation(function, runtime, slots=slots.share(), log=TailedLog(Unread()), accept=accept)  # type: ignore[arg-type]


async def call(invocation: DirectInvocation, *, wants_log: bool = False) -> tuple[Response, bytes | None]:
    return await invocation.invoke(
        Event({}), request_id="r", invoked_arn=f"{ARN}:live", client_context=None, trace_id="t", wants_log=wants_log
    )


async def test_an_invocation_takes_a_slot_and_gives_it_back() -> None:
    """What was asked is handed on; the log is empty if nothing was written, None if nobody asked."""
    slots, runtime = FunctionSlots(1), Scripted(Returned(b"1"))
    invocation = direct(runtime, slots)

    assert await call(invocation) == (Returned(b"1"), None)
    assert await call(invocation, wants_log=True) == (Returned(b"1"), b"")
    assert runtime.given == [("r", f"{ARN}:live", "t")] * 2
    assert (invocation.name, invocation.arn, list(invocation.aliases)) == ("orders", ARN, ["live"])


@pytest.mark.parametrize(
    ("reserved", "reason"),
    [(1, "ReservedFunctionConcurrentInvocationLimitExceeded"), (None, "ConcurrentInvocationLimitExceeded")],
)
async def test_inv_25_27_without_a_slot_it_is_throttled_at_once(reserved: int | None, reason: str) -> None:
    """INV-25, INV-27: never queued; a slot is free again when a caller gives up."""
    slots, runtime = FunctionSlots(1), Scripted()
    invocation = direct(runtime, slots, reserved_concurrent_executions=reserved)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, invocation)
        await anyio.wait_all_tasks_blocked()
        assert await call(invocation, wants_log=True) == (Refused(reason), None)
        tasks.cancel_scope.cancel()

    runtime.response = Returned(b"2")
    assert await call(invocation) == (Returned(b"2"), None)


async def test_inv_12_the_log_of_a_real_function() -> None:
    """INV-12: with the log its runtime writes to."""

    async def handler(event: object, context: object) -> None:
        """Nothing."""

    function = Function(handler=handler, function_name="orders", aliases=["live"])
    log = TailedLog(Unread())
    async with FunctionRuntime(function, region="us-east-1", account_id="000000000000", log=log) as runtime:
        invocation = DirectInvocation(function, runtime, slots=FunctionSlots(1).share(), log=log, accept=accept)
        response, tail = await call(invocation, wants_log=True)

    assert response == Returned(b"null")
    assert tail is not None
    assert tail.startswith(b"START RequestId: r Version: $LATEST\nEND RequestId: r\nREPORT RequestId: r\t")
