"""The states of mappings on virtual time: which way they go, what the pollers are told, and what a restart finds."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.control.mappings import ControlledMappings, DeclaredMapping
from eventmap.control.ports import PolledMapping
from eventmap.control.transitions import FIRST_WAIT_S, FORGETTING_ATTEMPTS, LONGEST_WAIT_S, WATCH_INTERVAL_S
from eventmap.errors import AccessRefused, StateError, StreamNotFound, TransientSourceError
from eventmap.mapping import EventSourceMapping
from eventmap.rules.configuration import mapping_uuid
from eventmap.server.lambda_api import ApiError
from eventmap.state.control_memory import MemoryControl

from .scene import QUEUE, STREAM, TABLE, Functions, Pollers, World, world

pytestmark = pytest.mark.virtual_time

IN_USE = (400, "ResourceInUseException")
GONE = (404, "ResourceNotFoundException")


async def refusal(call: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        await call
    return refused.value.status, refused.value.error_type


def state_of(there: World, uuid: str) -> tuple[Any, Any]:
    shown = there.mappings.get(uuid)
    return shown["State"], shown["StateTransitionReason"]


async def gone(there: World, uuid: str) -> None:
    with anyio.fail_after(600):
        while uuid in str(there.mappings.list({})):
            await anyio.sleep(0.01)


@pytest.mark.parametrize(
    ("arn", "reason"), [(QUEUE, "USER_INITIATED"), (STREAM, "User action"), (TABLE, "User action")]
)
async def test_api_56_61_a_mapping_is_created_then_enabled(arn: str, reason: str) -> None:
    """API-56, API-61: Creating is answered; Enabled is what is read once it polls."""
    async with world() as there:
        there.pollers.holds["start"] = hold = anyio.Event()
        uuid = await there.create(arn)
        await anyio.wait_all_tasks_blocked()
        assert state_of(there, uuid) == ("Creating", reason)

        hold.set()
        assert await there.settled(uuid) == "Enabled"
        assert state_of(there, uuid) == ("Enabled", reason)
        assert list(there.pollers.polling) == [uuid]
        assert there.pollers.polling[uuid].event_source_arn == arn


@pytest.mark.parametrize(("arn", "answered"), [(QUEUE, "Disabled"), (STREAM, "Creating"), (TABLE, "Creating")])
async def test_api_57_a_mapping_that_is_not_enabled_never_polls(arn: str, answered: str) -> None:
    """API-57: a queue's answer is Disabled already, a stream's is on its way there."""
    async with world() as there:
        uuid = await there.create(arn, Enabled=False)
        assert there.mappings.get(uuid)["State"] == answered
        assert await there.settled(uuid) == "Disabled"
        assert [call for call in there.pollers.calls if call[0] == "start"] == []


async def test_api_55_58_disabling_and_enabling() -> None:
    """API-58: the answer shows the way, the poller is stopped before Disabled is told, and started before Enabled."""
    async with world() as there:
        uuid = await there.enabled()
        there.pollers.holds["stop"] = hold = anyio.Event()
        answer = await there.mappings.update(uuid, {"Enabled": False})
        await anyio.wait_all_tasks_blocked()
        assert (answer["State"], state_of(there, uuid)[0]) == ("Disabling", "Disabling")
        assert uuid in there.pollers.polling
        hold.set()
        assert await there.settled(uuid) == "Disabled"
        assert there.pollers.polling == {}

        answer = await there.mappings.update(uuid, {"Enabled": True})
        assert answer["State"] == "Enabling"
        assert await there.settled(uuid) == "Enabled"
        assert list(there.pollers.polling) == [uuid]


async def test_api_59_another_change_is_updating_then_as_before() -> None:
    """API-59: what polls is stopped, then started with the change; what is disabled stays so."""
    async with world() as there:
        uuid = await there.enabled()
        there.pollers.calls.clear()
        assert (await there.mappings.update(uuid, {"BatchSize": 5, "Enabled": True}))["State"] == "Updating"
        assert await there.settled(uuid) == "Enabled"
        assert [what for what, _ in there.pollers.calls] == ["resolve", "stop", "start"]
        assert there.pollers.polling[uuid].batch_size == 5

        other = await there.create(STREAM, Enabled=False)
        await there.settled(other)
        assert (await there.mappings.update(other, {"BatchSize": 7}))["State"] == "Updating"
        assert await there.settled(other) == "Disabled"
        assert list(there.pollers.polling) == [uuid]


async def test_api_14a_a_change_to_what_is_there_already_disturbs_nobody() -> None:
    """API-14a: null, nothing, or the values it has, its defaults among them."""
    async with world() as there:
        uuid = await there.enabled(BatchSize=10)
        before = there.mappings.get(uuid)
        there.pollers.calls.clear()
        for body in ({}, {"BatchSize": None}, {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "Enabled": True}):
            assert await there.mappings.update(uuid, body) == before
        assert there.pollers.calls == []


async def test_api_60_deleted_is_deleting_then_gone() -> None:
    """API-60: stopped, forgotten, then 404; the pair is free again."""
    async with world() as there:
        uuid = await there.enabled(STREAM)
        there.pollers.holds["forget"] = hold = anyio.Event()
        answer = await there.mappings.delete(uuid)
        await anyio.wait_all_tasks_blocked()
        assert (answer["State"], state_of(there, uuid)[0]) == ("Deleting", "Deleting")
        assert there.pollers.polling == {}
        assert await refusal(there.mappings.delete(uuid)) == IN_USE
        assert await refusal(there.mappings.update(uuid, {"Enabled": True})) == IN_USE

        hold.set()
        await gone(there, uuid)
        assert await refusal(there.mappings.delete(uuid)) == GONE
        assert ("forget", uuid) in there.pollers.calls
        assert await there.store.read("mapping") == {}
        await there.enabled(STREAM)


@pytest.mark.parametrize(
    ("held", "body"),
    [("start", None), ("stop", {"Enabled": False}), ("stop", {"BatchSize": 3}), ("start", {"BatchSize": 3})],
)
async def test_api_09_what_is_changing_is_in_use(held: str, body: dict[str, Any] | None) -> None:
    """API-09: while it is created, disabled or updated it can be neither updated nor deleted."""
    async with world() as there:
        if body is None:
            there.pollers.holds[held] = hold = anyio.Event()
            uuid = await there.create()
        else:
            uuid = await there.enabled()
            there.pollers.holds[held] = hold = anyio.Event()
            await there.mappings.update(uuid, body)
        await anyio.wait_all_tasks_blocked()

        assert await refusal(there.mappings.update(uuid, {"BatchSize": 9})) == IN_USE
        assert await refusal(there.mappings.delete(uuid)) == IN_USE
        hold.set()
        await there.settled(uuid)
        await there.mappings.delete(uuid)
        await gone(there, uuid)


async def test_api_09_of_two_updates_at_once_one_is_refused() -> None:
    """API-09: both looked at the source; who comes second does not undo what the first wrote."""
    answers: list[Any] = []
    async with world() as there:
        uuid = await there.enabled()
        there.pollers.holds["resolve"] = hold = anyio.Event()

        async def update(size: int) -> None:
            try:
                answers.append((await there.mappings.update(uuid, {"BatchSize": size}))["BatchSize"])
            except ApiError as error:
                answers.append(error.error_type)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(update, 3)
            tasks.start_soon(update, 4)
            await anyio.wait_all_tasks_blocked()
            hold.set()
        await there.settled(uuid)

        [size] = [answer for answer in answers if answer != "ResourceInUseException"]
        assert len(answers) == 2
        assert there.pollers.polling[uuid].batch_size == size == there.mappings.get(uuid)["BatchSize"]


async def test_sqs_13_of_two_creates_at_once_one_is_refused() -> None:
    """SQS-13: however their looks at the source are interleaved."""
    answers: list[str] = []
    async with world() as there:
        there.pollers.holds["resolve"] = hold = anyio.Event()

        async def create() -> None:
            try:
                await there.create()
                answers.append("made")
            except Exception as error:
                answers.append(type(error).__name__)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(create)
            tasks.start_soon(create)
            await anyio.wait_all_tasks_blocked()
            hold.set()

        assert sorted(answers) == ["ResourceConflict", "made"]


async def test_api_62_a_source_that_vanished_disables_its_mapping() -> None:
    """API-61, 62: Disabled, with the reason; the problem is told; a caller who enables it again is told the same."""
    async with world() as there:
        uuid, other = await there.enabled(STREAM), await there.enabled(QUEUE)
        there.pollers.there.remove(STREAM)
        there.pollers.troubles[uuid] = "the stream cannot be listed"
        assert there.mappings.get(uuid)["LastProcessingResult"] == "PROBLEM: the stream cannot be listed"
        await anyio.sleep(WATCH_INTERVAL_S + 0.1)
        there.pollers.troubles.clear()

        assert state_of(there, uuid) == ("Disabled", f"Stream not found: {STREAM}")
        assert there.mappings.get(uuid)["LastProcessingResult"] == f"PROBLEM: Stream not found: {STREAM}"
        assert list(there.pollers.polling) == [other]
        with pytest.raises(StreamNotFound):
            await there.mappings.update(uuid, {"Enabled": True})

        there.pollers.there.add(STREAM)
        await there.mappings.update(uuid, {"Enabled": True})
        assert await there.settled(uuid) == "Enabled"
        shown = there.mappings.get(uuid)
        assert (shown["StateTransitionReason"], shown["LastProcessingResult"]) == (
            "User action",
            "No records processed",
        )


@pytest.mark.parametrize("error", [TransientSourceError("503"), AccessRefused("no"), StateError("disk")])
async def test_api_62_trouble_that_may_pass_disables_nothing(error: Exception) -> None:
    """API-62, STR-19: it is told, and polled on."""
    async with world() as there:
        uuid = await there.enabled(STREAM)
        there.pollers.troubles[uuid] = "3 reads in a row have failed"
        there.pollers.errors["resolve"] = [error] * 3
        await anyio.sleep(2.5 * WATCH_INTERVAL_S)

        assert len(there.pollers.errors["resolve"]) == 1
        assert there.mappings.get(uuid)["State"] == "Enabled"
        assert list(there.pollers.polling) == [uuid]


async def test_a_mapping_whose_function_was_deleted_is_disabled() -> None:
    """AWS lets functions go that mappings name; such a mapping polls no more, and says why."""
    async with world() as there:
        uuid = await there.enabled()
        del there.functions.qualifiers["pay"]
        await anyio.sleep(WATCH_INTERVAL_S + 0.1)

        state, reason = state_of(there, uuid)
        assert (state, reason.startswith("Function not found: arn:aws:lambda:")) == ("Disabled", True)
        assert there.pollers.polling == {}
        there.functions.qualifiers["pay"] = set()
        await there.mappings.update(uuid, {"Enabled": True})
        assert await there.settled(uuid) == "Enabled"


async def test_a_start_waits_for_a_source_that_cannot_be_reached() -> None:
    """It is tried again at growing intervals, and told; meanwhile its caller may change it, or delete it."""
    async with world() as there:
        there.pollers.errors["start"] = [TransientSourceError("no route to host")] * 3
        uuid = await there.create()
        assert await there.settled(uuid) == "Enabled"
        assert there.pollers.started_at == [pytest.approx(FIRST_WAIT_S * (1 + 2 + 4), abs=0.001)]

        there.pollers.errors["start"] = [TransientSourceError("no route to host")] * 99
        other = await there.create(STREAM)
        await anyio.sleep(100)
        shown = there.mappings.get(other)
        assert (shown["State"], shown["StateTransitionReason"]) == ("Creating", "no route to host")
        assert shown["LastProcessingResult"] == "PROBLEM: no route to host"
        await there.mappings.update(other, {"BatchSize": 9})
        await anyio.sleep(100)
        assert there.mappings.get(other)["State"] == "Updating"
        await there.mappings.delete(other)
        await gone(there, other)
        assert list(there.pollers.polling) == [uuid]


async def test_a_change_takes_the_place_of_a_start_that_waits() -> None:
    """Once it can be reached the new configuration polls, and only that."""
    async with world() as there:
        there.pollers.errors["start"] = [TransientSourceError("no route to host")]
        uuid = await there.create()
        await anyio.sleep(0.1)
        await there.mappings.update(uuid, {"BatchSize": 9})
        await anyio.sleep(60)

        assert [call for call in there.pollers.calls if call[0] == "start"] == [("start", uuid)]
        assert there.pollers.polling[uuid].batch_size == 9
        assert there.mappings.get(uuid)["State"] == "Enabled"


async def test_a_start_that_is_refused_ends_disabled() -> None:
    """Its source was there when it was asked for, and is not when it begins."""
    async with world() as there:
        there.pollers.holds["start"] = hold = anyio.Event()
        uuid = await there.create()
        there.pollers.there.clear()
        hold.set()
        assert await there.settled(uuid) == "Disabled"
        assert "queue does not exist" in str(state_of(there, uuid)[1])


async def test_a_deletion_does_without_what_cannot_be_forgotten() -> None:
    """A source that is gone, or cannot be reached for a while, keeps nobody from deleting its mapping."""
    async with world() as there:
        for errors in ([StreamNotFound("gone")], [TransientSourceError("503")] * 99):
            uuid = await there.enabled(STREAM)
            there.pollers.errors["forget"] = [*errors]
            before = elapsed_s()
            await there.mappings.delete(uuid)
            await gone(there, uuid)
            assert elapsed_s() - before < 20
        assert len(there.pollers.errors["forget"]) == 99 - FORGETTING_ATTEMPTS


async def test_what_the_store_says_is_polled_after_a_restart() -> None:
    """Enabled ones poll, disabled ones do not; what they were is what they are."""
    store = MemoryControl()
    async with world(store) as there:
        polled = await there.enabled(QUEUE, BatchSize=3, Tags={"team": "a"})
        disabled = await there.create(STREAM, Enabled=False)
        await there.settled(disabled)
        before = {uuid: there.mappings.get(uuid) for uuid in (polled, disabled)}

    async with world(store) as again:
        await again.settled(polled)
        assert {uuid: again.mappings.get(uuid) for uuid in (polled, disabled)} == before
        assert [*again.pollers.polling] == [polled]
        assert again.pollers.polling[polled].batch_size == 3


class Unkept(MemoryControl):
    """Fails as often as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    async def write(self, changes: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise StateError("the disk is full")
        await super().write(changes)


async def test_nothing_is_answered_that_is_not_kept() -> None:
    """A change that cannot be written is refused, and not begun."""
    store = Unkept()
    async with world(store) as there:
        store.failures = 1
        with pytest.raises(StateError, match="disk is full"):
            await there.create()
        assert there.mappings.list({}) == {"EventSourceMappings": []}
        uuid = await there.enabled()

        for change in (there.mappings.update(uuid, {"Enabled": False}), there.mappings.delete(uuid)):
            store.failures = 1
            with pytest.raises(StateError, match="disk is full"):
                await change
        await anyio.sleep(1)
        assert (there.mappings.get(uuid)["State"], [*there.pollers.polling]) == ("Enabled", [uuid])


async def test_an_arrival_that_cannot_be_kept_is_kept_later() -> None:
    """The poller is left alone meanwhile."""
    store = Unkept()
    async with world(store) as there:
        there.pollers.holds["start"] = hold = anyio.Event()
        uuid = await there.create()
        store.failures = 2
        hold.set()
        assert await there.settled(uuid) == "Enabled"
        assert [what for what, _ in there.pollers.calls] == ["resolve", "start"]


async def test_declared_mappings_are_shown_and_not_changed() -> None:
    """By listing and UUID; a second mapping of the pair is refused, and so is every change, with where to make it."""
    uuid = mapping_uuid(QUEUE, "pay")
    declared = DeclaredMapping(uuid, EventSourceMapping(event_source_arn="jobs", function_name="pay"), QUEUE)
    async with world(declared=[declared]) as there:
        shown = there.mappings.get(uuid)
        assert (shown["State"], shown["EventSourceArn"], shown["UUID"]) == ("Enabled", QUEUE, uuid)
        assert there.mappings.list({"FunctionName": ["pay"]}) == {"EventSourceMappings": [shown]}
        for change in (
            there.mappings.update(uuid, {"Enabled": False}),
            there.mappings.delete(uuid),
            there.mappings.tag(str(shown["EventSourceMappingArn"]), {"a": "b"}),
        ):
            with pytest.raises(ApiError, match=f"Mapping {uuid} was declared where eventmap was started") as refused:
                await change
            assert (refused.value.status, refused.value.error_type) == (400, "InvalidParameterValueException")
        with pytest.raises(Exception, match=f"already exists.*{uuid}"):
            await there.create()
        await there.enabled(QUEUE, "ship")


async def test_while_it_starts_and_after_it_ends_nothing_is_changed() -> None:
    """AWS' ServiceException, which clients retry; nothing is in the store."""
    pollers, store = Pollers(), MemoryControl()
    mappings = ControlledMappings(pollers, Functions(), store)
    body = {"EventSourceArn": QUEUE, "FunctionName": "pay"}
    assert await refusal(mappings.create(body)) == (500, "ServiceException")
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda *, task_status: mappings.run(task_status=task_status))
        await mappings.drain()
        await mappings.drain()
    assert await refusal(mappings.create(body)) == (500, "ServiceException")
    assert await store.read("mapping") == {}


async def test_a_drain_leaves_transitions_to_the_next_start() -> None:
    """What was on its way when it ended goes on from there, and nothing is waited for."""
    store = MemoryControl()
    async with world(store) as there:
        uuid = await there.enabled()
        there.pollers.holds["stop"] = anyio.Event()
        await there.mappings.update(uuid, {"BatchSize": 4})
        await anyio.wait_all_tasks_blocked()
    [document] = (await store.read("mapping")).values()
    assert document["state"] == "Updating"

    async with world(store) as again:
        assert await again.settled(uuid) == "Enabled"
        assert again.pollers.polling[uuid].batch_size == 4


async def test_a_start_that_was_waited_for_is_in_use_again() -> None:
    """Whoever waits may be changed, until it acts."""
    async with world() as there:
        there.pollers.errors["start"] = [TransientSourceError("no route to host")]
        uuid = await there.create()
        await anyio.sleep(0.1)
        there.pollers.holds["start"] = hold = anyio.Event()
        await anyio.sleep(1)
        assert await refusal(there.mappings.update(uuid, {"BatchSize": 9})) == IN_USE
        hold.set()
        assert await there.settled(uuid) == "Enabled"


async def test_a_source_that_stays_away_is_asked_every_half_minute() -> None:
    """For as long as it takes."""
    async with world() as there:
        there.pollers.errors["start"] = [TransientSourceError("no route to host")] * 200
        await there.create()
        await anyio.sleep(3600)
        assert 200 - len(there.pollers.errors["start"]) == pytest.approx(3600 / LONGEST_WAIT_S, abs=7)


class GatedStore(MemoryControl):
    """Writes wait for `gate`."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = anyio.Event()
        self.gate.set()

    async def write(self, changes: Any) -> None:
        await self.gate.wait()
        await super().write(changes)


class SlowlyCancelled(Pollers):
    """A start that is cut short takes a second to clean up, in which none may begin."""

    starting = 0

    async def start(self, key: str, mapping: PolledMapping) -> None:
        assert not self.starting, "begun before the one before had ended"
        self.starting += 1
        try:
            await super().start(key, mapping)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)
            raise
        finally:
            self.starting -= 1


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_start_that_wakes_while_it_is_replaced_does_no_harm(arrives: bool) -> None:
    """It acts after its change was let through and before that is on the disk: it is cut short, or comes too late."""
    store, pollers = GatedStore(), SlowlyCancelled()
    async with world(store, pollers=pollers) as there, anyio.create_task_group() as tasks:
        pollers.errors["start"] = [TransientSourceError("no route to host")]
        uuid = await there.create()
        await anyio.sleep(0.1)
        store.gate = anyio.Event()
        tasks.start_soon(there.mappings.update, uuid, {"BatchSize": 9})
        await anyio.sleep(0.1)
        hold = pollers.holds["start"] = anyio.Event()
        if arrives:
            hold.set()
        await anyio.sleep(FIRST_WAIT_S)
        stop = pollers.holds["stop"] = anyio.Event()
        store.gate.set()
        await anyio.sleep(0.5)
        assert state_of(there, uuid)[0] == "Updating"
        assert [each["state"] for each in (await store.read("mapping")).values()] == ["Updating"]
        hold.set()
        stop.set()
        await anyio.sleep(5)

        shown = there.mappings.get(uuid)
        assert (shown["State"], shown["BatchSize"]) == ("Enabled", 9)
        assert pollers.polling[uuid].batch_size == 9


async def test_tags_that_change_during_a_transition_are_kept() -> None:
    """And it arrives all the same."""
    async with world() as there:
        there.pollers.holds["start"] = hold = anyio.Event()
        uuid = await there.create(Tags={"a": "1"})
        arn = str(there.mappings.get(uuid)["EventSourceMappingArn"])
        await there.mappings.tag(arn, {"b": "2"})
        hold.set()
        assert await there.settled(uuid) == "Enabled"
        assert await there.mappings.tags(arn) == {"a": "1", "b": "2"}


async def test_what_its_caller_disabled_stays_as_it_was_said() -> None:
    """Whatever becomes of its function; and a start after that says nothing of it."""
    store = MemoryControl()
    async with world(store) as there:
        uuid = await there.create(QUEUE, Enabled=False)
        await there.enabled(QUEUE, "ship")
        del there.functions.qualifiers["pay"]
        await anyio.sleep(3 * WATCH_INTERVAL_S)
        assert state_of(there, uuid) == ("Disabled", "USER_INITIATED")


async def test_a_start_tells_of_those_it_polls(caplog: pytest.LogCaptureFixture) -> None:
    """One line each, and none of the disabled."""
    caplog.set_level(logging.INFO, "eventmap")
    store = MemoryControl()
    async with world(store) as there:
        await there.create(STREAM, Enabled=False)
        uuid = await there.enabled(QUEUE)
    caplog.clear()
    async with world(store) as again:
        await again.settled(uuid)
    told = [record.__dict__["eventmap_fields"] for record in caplog.records]
    assert told == [{"mapping": QUEUE, "uuid": uuid, "state": "Enabled"}]


@pytest.mark.parametrize("held", [None, "stop"])
async def test_a_caller_who_disables_while_a_source_is_looked_at_comes_first(held: str | None) -> None:
    """What the look finds is about a mapping that polls no more."""
    async with world() as there:
        uuid = await there.enabled(STREAM)
        there.pollers.troubles[uuid] = "the stream cannot be listed"
        there.pollers.holds["resolve"] = look = anyio.Event()
        there.pollers.errors["resolve"] = [StreamNotFound("gone")]
        await anyio.sleep(WATCH_INTERVAL_S + 0.1)
        hold = anyio.Event()
        if held is not None:
            there.pollers.holds[held] = hold
        await there.mappings.update(uuid, {"Enabled": False})
        await anyio.wait_all_tasks_blocked()
        look.set()
        await anyio.sleep(0.1)
        hold.set()
        assert await there.settled(uuid) == "Disabled"
        await anyio.sleep(1)
        assert state_of(there, uuid) == ("Disabled", "User action")


async def test_a_mapping_whose_function_is_gone_at_the_start_is_disabled() -> None:
    """Its name is told as AWS does."""
    store = MemoryControl()
    async with world(store) as there:
        uuid = await there.enabled()
    async with world(store, functions=Functions({})) as again:
        assert await again.settled(uuid) == "Disabled"
        assert str(state_of(again, uuid)[1]).startswith("Function not found: arn:aws:lambda:")
        assert again.pollers.calls == []


async def test_a_defect_that_one_mapping_meets_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    """It is told with its traceback; the mapping can be changed, or deleted."""
    async with world() as there:
        other = await there.enabled(QUEUE)
        there.pollers.errors["start"] = [RuntimeError("defect")]
        uuid = await there.create(STREAM)
        await anyio.sleep(1)
        [record] = [each for each in caplog.records if each.__dict__["eventmap_event"] == "mapping.change_failed"]
        assert record.exc_info is not None
        assert there.mappings.get(uuid)["State"] == "Creating"
        await there.mappings.update(uuid, {"BatchSize": 9})
        assert await there.settled(uuid) == "Enabled"
        assert {*there.pollers.polling} == {uuid, other}


async def test_a_mapping_of_a_source_that_is_gone_can_be_disabled_and_not_changed() -> None:
    """To stop needs no source; every other change is checked against it, also of a mapping that does not poll."""
    async with world() as there:
        uuid = await there.enabled(STREAM)
        there.pollers.there.clear()
        await there.mappings.update(uuid, {"Enabled": False})
        assert await there.settled(uuid) == "Disabled"
        with pytest.raises(StreamNotFound):
            await there.mappings.update(uuid, {"BatchSize": 9})
        assert there.mappings.get(uuid)["BatchSize"] == 100


async def test_api_09_a_deletion_that_waits_is_not_undone() -> None:
    """API-09: Deleting is in use to its end."""
    async with world() as there:
        uuid = await there.enabled(STREAM)
        there.pollers.errors["forget"] = [TransientSourceError("503")] * 3
        await there.mappings.delete(uuid)
        await anyio.sleep(0.1)
        assert await refusal(there.mappings.update(uuid, {"Enabled": True})) == IN_USE
        await gone(there, uuid)


async def test_api_09_an_update_that_looked_too_early_is_refused() -> None:
    """API-09: another one has come and settled since its look; nothing of that is undone."""
    refused: list[tuple[int, str]] = []
    async with world() as there, anyio.create_task_group() as tasks:
        uuid = await there.enabled()
        look = there.pollers.holds["resolve"] = anyio.Event()

        async def update() -> None:
            refused.append(await refusal(there.mappings.update(uuid, {"BatchSize": 3})))

        tasks.start_soon(update)
        await anyio.wait_all_tasks_blocked()
        del there.pollers.holds["resolve"]
        await there.mappings.update(uuid, {"BatchSize": 4})
        await there.settled(uuid)
        look.set()
        await anyio.wait_all_tasks_blocked()
        assert (refused, there.mappings.get(uuid)["BatchSize"]) == ([IN_USE], 4)


async def test_a_mapping_that_was_enabled_anew_while_its_source_was_looked_at_polls_on() -> None:
    """What the look finds is about the one before."""
    async with world() as there:
        uuid = await there.enabled(STREAM)
        there.pollers.troubles[uuid] = "the stream cannot be listed"
        look = there.pollers.holds["resolve"] = anyio.Event()
        await anyio.sleep(WATCH_INTERVAL_S + 0.1)
        del there.pollers.holds["resolve"]
        for enabled in (False, True):
            await there.mappings.update(uuid, {"Enabled": enabled})
            await there.settled(uuid)
        there.pollers.troubles.clear()
        there.pollers.errors["resolve"] = [StreamNotFound("gone")]
        look.set()
        await anyio.sleep(0.5)
        assert there.pollers.errors["resolve"] == []
        assert (there.mappings.get(uuid)["State"], [*there.pollers.polling]) == ("Enabled", [uuid])


async def test_a_function_that_goes_while_its_mapping_waits_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """By the next attempt; nothing is started."""
    store = MemoryControl()
    async with world(store) as there:
        uuid = await there.enabled()
    pollers = Pollers(errors={"start": [TransientSourceError("no route to host")] * 99})
    async with world(store, pollers=pollers) as again:
        await anyio.sleep(60)
        assert again.mappings.get(uuid)["State"] == "Enabled"
        again.functions.qualifiers.clear()
        await anyio.sleep(60)
        assert again.mappings.get(uuid)["State"] == "Disabled"
    told = [record.__dict__["eventmap_event"] for record in caplog.records]
    assert told.count("mapping.disabled") == 1


async def test_a_function_that_does_not_run_is_waited_for() -> None:
    """It is there, and its own start is tried again; a mapping that polls is left alone meanwhile."""
    store = MemoryControl()
    async with world(store) as there:
        uuid = await there.enabled()
        there.functions.broken.add("pay")
        await anyio.sleep(3 * WATCH_INTERVAL_S)
        assert (there.mappings.get(uuid)["State"], [*there.pollers.polling]) == ("Enabled", [uuid])
    async with world(store, functions=Functions(broken={"pay"})) as again:
        await anyio.sleep(10)
        assert state_of(again, uuid) == ("Enabled", "function pay does not run now")
        again.functions.broken.clear()
        await anyio.sleep(LONGEST_WAIT_S)
        assert [*again.pollers.polling] == [uuid]


async def test_a_version_with_code_of_its_own_is_a_function_of_its_own() -> None:
    """It may have a mapping beside its function's; when it goes, that one is disabled."""
    async with world() as there:
        latest, version = await there.enabled(STREAM, "ship"), await there.enabled(STREAM, "ship:1")
        assert there.pollers.polling[version].function_name == "ship:1"
        there.functions.qualifiers["ship"].clear()
        await anyio.sleep(WATCH_INTERVAL_S + 0.1)
        assert [*there.pollers.polling] == [latest]
        assert str(state_of(there, version)[1]).endswith(":function:ship:1")
