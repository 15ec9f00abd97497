"""The functions of a service, as the API makes, changes and deletes them (INV-80..87, 174)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

from eventmap.control.code import CodeFolders
from eventmap.control.kept_functions import KeptFunctions
from eventmap.control.ports import ControlStore, Functions
from eventmap.errors import InvalidParameterValue
from eventmap.function import Function
from eventmap.model import JsonObject
from eventmap.rules.function_api import changes, creation
from eventmap.rules.function_api.changes import ChangeRefused, Occasion
from eventmap.rules.function_api.recorded import RecordedCode, RecordedFunction
from eventmap.rules.invoke_api import read_function
from eventmap.rules.invoke_errors import Refusal
from eventmap.rules.tags import tagged, untagged
from eventmap.server.lambda_api import ApiError


class ControlledFunctions:
    """Functions made by the API, kept in `store` and run by `functions`; a `NamedFunctions` and a `Tagged`.

    `declared` are those of the service's own code: shown, and not changed. Nothing is answered before it runs and is
    in the store. `code_dir` is where zip files are unpacked, a folder of ours alone. With `accepts_code` False nothing
    is taken that could be code: no function is made, and none gets other code or configuration.
    """

    def __init__(
        self,
        functions: Functions,
        store: ControlStore,
        code_dir: Path,
        *,
        declared: Sequence[Function] = (),
        accepts_code: bool = True,
    ) -> None:
        self._functions = functions
        self._code = CodeFolders(code_dir)
        self._accepts_code = accepts_code
        self.kept: KeptFunctions = KeptFunctions(functions, store, self._code, declared)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Start what the store has, and work until `drain`.

        Started once each was tried; one that cannot be started is shown as Failed, and tried again. Raises: StateError.
        """
        await self.kept.run(task_status=task_status)

    async def drain(self) -> None:
        """Refuse changes from now on. The functions are stopped by whoever stops theirs, after this."""
        await self.kept.drain()

    def arn(self, name: str) -> str:
        """See `NamedFunctions`."""
        return self._functions.arn(name)

    def arn_of_absent(self, name: str) -> str:
        """See `NamedFunctions`."""
        return self._functions.arn_of_absent(name)

    def runs(self, name: str, qualifier: str) -> str | None:
        """See `NamedFunctions`: `NAME:QUALIFIER` of one that was made by the API, for an alias of it may move on."""
        return self.kept.runs(name, qualifier)

    async def tags(self, arn: str) -> Mapping[str, str]:
        """See `Tagged`."""
        with _answered():
            return self.kept.found(arn).recorded.tags

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """See `Tagged`."""
        with _answered():
            await self.kept.change(arn, lambda recorded, _: replace(recorded, tags=tagged(recorded.tags, tags)))

    async def untag(self, arn: str, keys: Sequence[str]) -> None:
        """See `Tagged`."""
        with _answered():
            await self.kept.change(arn, lambda recorded, _: replace(recorded, tags=untagged(recorded.tags, keys)))

    async def create(self, body: JsonObject) -> JsonObject:
        """CreateFunction. Raises: ChangeRefused, ConfigurationError, SourceError, StateError; so do the next ones."""
        self._check_accepts_code()
        request = creation.read_create(body)
        name = self._free_name(request.name)
        self.kept.check_free(name)  # before its code is looked at; and once more when it is added
        code = await self._unpacked(request.zip_file)

        def make(occasion: Occasion) -> RecordedFunction:
            recorded = creation.created(replace(request, name=name), code, occasion)
            return changes.published(recorded, None, occasion)[0] if request.publish else recorded

        found = await self.kept.add(name, make)
        return self.kept.configuration(found, found.recorded.versions[-1] if request.publish else None)

    async def update_code(self, text: str, body: JsonObject) -> JsonObject:
        """UpdateFunctionCode; with `DryRun` everything but the change."""
        self._check_accepts_code()
        request = creation.read_update_code(body)
        found = self.kept.changeable(text)
        changes.check_revision(body, found.recorded.latest.revision_id)
        code = await self._unpacked(request.zip_file)
        published = ""

        def change(recorded: RecordedFunction, occasion: Occasion) -> RecordedFunction:
            nonlocal published
            updated = changes.updated_code(recorded, body, code, occasion)
            if request.publish:
                updated, published = changes.published(updated, None, occasion)
            return updated

        if request.dry_run:
            return self.kept.configuration(self.kept.changed(text, change))
        found = await self.kept.change(text, change)
        return self.kept.configuration(found, found.recorded.found(published) if published else None)

    async def update_configuration(self, text: str, body: JsonObject) -> JsonObject:
        """UpdateFunctionConfiguration."""
        self._check_accepts_code()  # a variable, or another handler, may run anything
        found = await self.kept.change(
            text, lambda recorded, occasion: changes.updated_configuration(recorded, body, occasion)
        )
        return self.kept.configuration(found)

    async def delete(self, text: str, qualifier: str) -> None:
        """DeleteFunction: as a whole, or one version. Mappings that name it are left to fail, as on AWS."""
        reference = read_function(text, qualifier)
        if isinstance(reference, Refusal) or not reference.qualifier:
            await self.kept.remove(text)
            return
        version = reference.qualifier
        await self.kept.change(
            text.removesuffix(f":{version}"),
            lambda recorded, occasion: changes.version_deleted(recorded, version, occasion),
        )

    def _free_name(self, text: str) -> str:
        reference = read_function(text)
        if isinstance(reference, Refusal):
            raise ChangeRefused(reference.status, reference.error_type, reference.message)
        arn = self._functions.arn_of_absent(reference.name)
        if reference.qualifier or (text.startswith("arn:") and text != arn):
            raise InvalidParameterValue(f"FunctionName {text} is none that a function can have here; {arn} is")
        return reference.name

    async def _unpacked(self, zip_file: str | None) -> RecordedCode:
        if zip_file is None:
            return RecordedCode()
        # In a thread: 50 MB take their time, in which nobody else would be served.
        return await self._code.unpack(await anyio.to_thread.run_sync(_decoded, zip_file))

    def _check_accepts_code(self) -> None:
        if not self._accepts_code:
            raise ChangeRefused(
                403,
                "AccessDeniedException",
                "This server takes calls from other machines without asking who they are, so it takes no code: give it "
                "access keys, or let it listen on the loopback interface",
            )


def _decoded(zip_file: str) -> bytes:
    try:
        return base64.b64decode(zip_file, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameterValue(f"ZipFile is not base64: {error}") from None


@contextmanager
def _answered() -> Iterator[None]:
    """For routes that know nothing of how functions refuse."""
    try:
        yield
    except ChangeRefused as refusal:
        raise ApiError(refusal.status, refusal.error_type, refusal.message) from None
