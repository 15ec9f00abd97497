"""The event source mappings of a service, as the API changes them (API-01..14a, 55..62)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from uuid import uuid4

import anyio
from anyio.abc import TaskStatus

from eventmap.clock import wall_time_s
from eventmap.control.ports import ControlStore, NamedFunctions, PolledMapping, Pollers
from eventmap.control.transitions import Transitions
from eventmap.errors import InvalidParameterValue, ResourceConflict, StateError
from eventmap.model import JsonObject
from eventmap.rules import configuration
from eventmap.rules.invoke_api import named, read_function
from eventmap.rules.invoke_errors import Refusal
from eventmap.rules.mapping_api.listing import page, read_list
from eventmap.rules.mapping_api.members import mapping_of_members
from eventmap.rules.mapping_api.recorded import RecordedMapping, name_and_qualifier, recorded_mapping
from eventmap.rules.mapping_api.request import read_create, read_update
from eventmap.rules.mapping_api.states import in_use, settled_state, state_on_create, user_reason
from eventmap.rules.tags import tagged, untagged
from eventmap.server.lambda_api import ApiError
from eventmap.stream_mapping import StreamMapping

KIND: Final = "mapping"
"""Of the documents in the store."""


def _no_records_processed() -> str:
    return configuration.NO_RECORDS_PROCESSED


@dataclass(frozen=True, slots=True)
class DeclaredMapping:
    """A mapping that the service was started with: shown by the API, and not changed by it."""

    uuid: str
    mapping: PolledMapping
    arn: str  #: of its source
    last_processing_result: Callable[[], str] = _no_records_processed


class ControlledMappings:
    """Mappings made by the API, kept in `store`, polled by `pollers`.

    An answer says what is on its way; the way itself is gone in the background, and what was not gone to its end
    when the process ended is gone by the next one. Nothing is answered before it is in the store.
    `declared` are those of the service's own code.
    """

    def __init__(
        self,
        pollers: Pollers,
        functions: NamedFunctions,
        store: ControlStore,
        *,
        declared: Sequence[DeclaredMapping] = (),
    ) -> None:
        self._pollers = pollers
        self._functions = functions
        self._store = store
        self._declared = {each.uuid: each for each in declared}
        self._recorded: dict[str, RecordedMapping] = {}
        self._started_at_s = 0.0
        self._changing = anyio.Lock()  # from the last look at what is there to its change in store and memory
        self._transitions = Transitions(pollers, functions, self._recorded, self._keep)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Begin to poll what the store says is enabled, take up unfinished transitions, and work until `drain`.

        Started once the store was read; a source that cannot be reached is tried again. Raises: StateError.
        """
        self._started_at_s = wall_time_s()
        documents = await self._store.read(KIND)
        self._recorded.update({uuid: _recorded(uuid, document) for uuid, document in documents.items()})
        await self._transitions.run(task_status=task_status)

    async def drain(self) -> None:
        """Refuse changes from now on, and leave transitions where they are: the next start takes them up.

        The pollers are drained by whoever drains theirs, after this.
        """
        await self._transitions.drain()

    async def create(self, body: JsonObject) -> JsonObject:
        """CreateEventSourceMapping (API-01). Raises: ApiError, ConfigurationError, SourceError, StateError."""
        request = read_create(body)
        name, function_arn = self._function(request.function)
        mapping = mapping_of_members(request.source, request.source_arn, name, request.members)
        arn = await self._pollers.resolve(mapping)
        recorded = RecordedMapping(
            uuid=configuration.mapping_uuid(arn, name),
            source=request.source,
            source_arn=arn,
            function_arn=function_arn,
            function_name=name,
            enabled=request.enabled,
            members=request.members,
            tags=request.tags,
            state=state_on_create(request.source, enabled=request.enabled),
            reason=user_reason(request.source),
            last_modified_s=wall_time_s(),
        )
        with anyio.CancelScope(shield=True):  # a caller that goes away leaves nothing half done
            async with self._changing:
                self._refuse_second(arn, name)
                if recorded.uuid in self._recorded:  # of a mapping that has another function by now
                    recorded = replace(recorded, uuid=str(uuid4()))
                await self._begin(recorded)
        return self._shown(recorded)

    def get(self, uuid: str) -> JsonObject:
        """GetEventSourceMapping (API-02). Raises: ApiError."""
        if (declared := self._declared.get(uuid)) is not None:
            return self._shown_declared(declared)
        return self._shown(self._found(uuid))

    def list(self, query: Mapping[str, Sequence[str]]) -> JsonObject:
        """ListEventSourceMappings (API-03, 06, 14a). Raises: ApiError, InvalidParameterValue."""
        request = read_list(query)
        every = {each.uuid: (each.arn, self._arn_of_declared(each)) for each in self._declared.values()}
        every |= {each.uuid: (each.source_arn, each.function_arn) for each in self._recorded.values()}
        found, marker = page(every, request, self._arn_of(request.function) if request.function else "")
        answer: JsonObject = {"EventSourceMappings": [self.get(uuid) for uuid in found]}
        if marker is not None:
            answer["NextMarker"] = marker
        return answer

    async def update(self, uuid: str, body: JsonObject) -> JsonObject:
        """UpdateEventSourceMapping (API-04). Raises: as `create`."""
        current = self._changeable(uuid, "update")
        request = read_update(body, current.source)
        function = None if request.function is None else self._function(request.function)
        if function is not None and current.source != "sqs" and function[0] != current.function_name:
            raise InvalidParameterValue(
                "FunctionName of a stream's mapping cannot be changed: how far it has been read is kept by function; "
                "delete the mapping, and create another"
            )
        updated = current.updated(request, function, wall_time_s())
        if updated is current:
            return self._shown(current)
        if updated.enabled or request.members:  # to stop needs no source
            await self._pollers.resolve(updated.mapping)
        with anyio.CancelScope(shield=True):
            async with self._changing:
                self._refuse_changed(current, "update")
                self._refuse_second(updated.source_arn, updated.function_name, besides=uuid)
                await self._begin(updated)
        return self._shown(updated)

    async def delete(self, uuid: str) -> JsonObject:
        """DeleteEventSourceMapping (API-05). Raises: ApiError, StateError."""
        with anyio.CancelScope(shield=True):
            async with self._changing:
                deleting = self._changeable(uuid, "delete").deleting()
                await self._begin(deleting)
        return self._shown(deleting)

    async def tags(self, arn: str) -> Mapping[str, str]:
        return self._by_arn(arn).tags

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        await self._retag(arn, lambda before: tagged(before, tags))

    async def untag(self, arn: str, keys: Sequence[str]) -> None:
        await self._retag(arn, lambda before: untagged(before, keys))

    async def _retag(self, arn: str, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
        with anyio.CancelScope(shield=True):
            async with self._changing:
                recorded = self._by_arn(arn)
                await self._put(replace(recorded, tags=change(recorded.tags)))

    async def _begin(self, recorded: RecordedMapping) -> None:
        """Intent first: what is in the store will be done, whatever becomes of this process."""
        self._transitions.check_open()
        await self._put(recorded)
        self._transitions.begin(recorded.uuid)

    async def _keep(self, before: RecordedMapping, after: RecordedMapping | None) -> None:
        """The end of a transition; None = the mapping is gone. Raises: StateError, TransientSourceError."""
        with anyio.CancelScope(shield=True):
            async with self._changing:
                now = self._recorded.get(before.uuid)
                if now is None or replace(now, tags=before.tags) != before:
                    return  # its caller came first
                if after is not None:
                    await self._put(replace(after, tags=now.tags))
                else:
                    await self._store.write({(KIND, before.uuid): None})
                    del self._recorded[before.uuid]

    async def _put(self, recorded: RecordedMapping) -> None:
        await self._store.write({(KIND, recorded.uuid): recorded.document()})
        self._recorded[recorded.uuid] = recorded

    def _found(self, uuid: str) -> RecordedMapping:
        if (recorded := self._recorded.get(uuid)) is None:
            raise ApiError(404, "ResourceNotFoundException", "The resource you requested does not exist.")
        return recorded

    def _changeable(self, uuid: str, operation: Literal["update", "delete"]) -> RecordedMapping:
        if uuid in self._declared:
            raise ApiError(
                400,
                "InvalidParameterValueException",
                f"Mapping {uuid} was declared where eventmap was started, in code or on its command line: "
                f"{operation} it there",
            )
        recorded = self._found(uuid)
        if self._transitions.is_busy(uuid) or recorded.state == "Deleting":
            raise ApiError(400, "ResourceInUseException", in_use(operation))
        return recorded

    def _refuse_changed(self, before: RecordedMapping, operation: Literal["update", "delete"]) -> None:
        """A look at the source takes time, in which another caller may have come first."""
        now = self._changeable(before.uuid, operation)
        if replace(now, tags=before.tags) != before:
            raise ApiError(400, "ResourceInUseException", in_use(operation))

    def _refuse_second(self, arn: str, function_name: str, *, besides: str = "") -> None:
        """SQS-13, STR-17: also for two aliases that run the same code, whose pollers would be one another's rivals."""
        there = [(each.uuid, each.arn, each.mapping.function_name) for each in self._declared.values()]
        there += [(each.uuid, each.source_arn, each.function_name) for each in self._recorded.values()]
        for uuid, *pair in there:
            if pair == [arn, function_name] and uuid != besides:
                is_queue = arn.split(":")[2] == "sqs"
                words = configuration.already_exists if is_queue else configuration.stream_already_exists
                raise ResourceConflict(words(arn, function_name, uuid))

    def _function(self, text: str) -> tuple[str, str]:
        """(the name of what runs, the ARN to be shown) of a function there is (API-07, 11)."""
        arn = self._arn_of(text)
        name, qualifier = name_and_qualifier(arn)
        is_here = arn.startswith(self._functions.arn_of_absent(name))
        runs = self._functions.runs(name, qualifier) if is_here else None
        if runs is None:
            raise InvalidParameterValue(f"Function does not exist: {arn}")
        return runs, arn

    def _arn_of(self, text: str) -> str:
        """The ARN that a caller means, with the qualifier given; of a function that may not be there."""
        reference = read_function(text)
        if isinstance(reference, Refusal):
            raise ApiError(reference.status, reference.error_type, reference.message)
        _, partition, _, region, account, _ = self._functions.arn_of_absent(reference.name).split(":", 5)
        arn = named(reference, partition, region, account)
        return f"{arn}:{reference.qualifier}" if reference.qualifier else arn

    def _by_arn(self, arn: str) -> RecordedMapping:
        uuid = arn.rpartition(":")[2]
        if uuid in self._declared:
            raise ApiError(
                400,
                "InvalidParameterValueException",
                f"Mapping {uuid} was declared where eventmap was started, and such a one has no tags",
            )
        if arn != self.get(uuid)["EventSourceMappingArn"]:
            raise ApiError(404, "ResourceNotFoundException", "The resource you requested does not exist.")
        return self._found(uuid)

    def _shown(self, recorded: RecordedMapping) -> JsonObject:
        waits_for = self._transitions.trouble(recorded.uuid)
        if waits_for is not None:
            recorded = replace(recorded, reason=waits_for)
        trouble = waits_for or self._pollers.trouble(recorded.uuid)
        result = f"PROBLEM: {trouble}" if trouble else self._pollers.last_processing_result(recorded.uuid)
        return recorded.shown(result)

    def _arn_of_declared(self, declared: DeclaredMapping) -> str:
        return self._functions.arn_of_absent(declared.mapping.function_name)

    def _shown_declared(self, declared: DeclaredMapping) -> JsonObject:
        mapping = declared.mapping
        return configuration.shown(
            mapping,
            uuid=declared.uuid,
            source_arn=declared.arn,
            function_arn=self._arn_of_declared(declared),
            last_modified_s=self._started_at_s,
            state=settled_state(enabled=mapping.enabled),
            reason=user_reason("kinesis" if isinstance(mapping, StreamMapping) else "sqs"),
            result=declared.last_processing_result(),
        )


def _recorded(uuid: str, document: JsonObject) -> RecordedMapping:
    try:
        return recorded_mapping(document)
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(
            f"the control file holds a mapping that cannot be read, {uuid} ({error!r}): restore the file from a "
            "backup, or name another with --control"
        ) from error
