"""What the tests of the API of functions share: a server whose functions really run, in processes of their own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from botocore.exceptions import ClientError

from eventmap.control.function_routes import function_routes
from eventmap.control.functions import ControlledFunctions
from eventmap.control.ports import ControlStore
from eventmap.control.refused import refused_routes
from eventmap.control.tags import tag_routes
from eventmap.delivery.slots import FunctionSlots
from eventmap.errors import ConfigurationError
from eventmap.function import Function
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from eventmap.server.app import ServerApp
from eventmap.server.lambda_api import LambdaApi
from eventmap.server.serving import bind, serving, url_of
from eventmap.server.settings import ServerLimits, ServerSettings
from eventmap.server.statistics import ServerStatistics
from eventmap.service.asynchronous import AsynchronousQueues, Here
from eventmap.service.connections import Connections
from eventmap.service.functions import LiveFunctions
from eventmap.service.settings import Settings
from eventmap.state.control_memory import MemoryControl
from eventmap.testing.memory_target import MemoryTarget
from tests.runtime.running import Unread

from .scene import ACCOUNT, REGION, Accepted, Scene

LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
ARN = f"{LAMBDA}:function:pay"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pay"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:ends"
GONE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:gone"

CODE = """
import os
def handler(event, context):
    if event == "fail":
        raise ValueError("boom")
    return {
        "says": SAYS, "version": context.function_version, "arn": context.invoked_function_arn,
        "folder": os.getcwd(), "greeting": os.environ.get("GREETING"), "name": context.function_name,
        "memory": context.memory_limit_in_mb, "variable": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
    }
"""


def zipped(says: str = "one", **files: str) -> bytes:
    """The zip file of a handler `app.handler` that says so; and further files, `a__b` is `a/b`."""
    contents = {"app.py": f"SAYS = {says!r}\n{CODE}"}
    contents |= {f"{name.replace('__', '/')}.py": text for name, text in files.items()}
    return zip_of(contents)


def zip_of(contents: Mapping[str, str | bytes]) -> bytes:
    """A zip file of these, by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in contents.items():
            package.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@dataclass
class FunctionScene(Scene):
    """Functions under the API; the targets of their events remember what they are sent."""

    functions: ControlledFunctions = field(kw_only=True)
    live: LiveFunctions = field(kw_only=True)
    targets: dict[str, MemoryTarget] = field(kw_only=True)

    def client(self, *, key: str = "test", secret: str = "test", **options: Any) -> Any:
        """One that leaves the judgement to the server."""
        return super().client(key=key, secret=secret, **({"parameter_validation": False} | options))

    async def create(self, name: str = "pay", *, says: str = "one", **members: Any) -> Any:
        """What CreateFunction answers."""
        usual = {"Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler", "Code": {"ZipFile": zipped(says)}}
        return await self.call("create_function", FunctionName=name, **{"Timeout": 20, **usual, **members})

    async def says(self, name: str = "pay", **parameters: Any) -> Any:
        """What a function answers, and the version that its caller is told."""
        answer = await self.call("invoke", FunctionName=name, **parameters)
        assert "FunctionError" not in answer, answer
        return orjson.loads(answer["Payload"]) | {"executed": answer["ExecutedVersion"]}

    async def refusal(self, operation: str, **parameters: Any) -> tuple[int, str, str]:
        """(status, code, message) boto3 raises."""
        with pytest.raises(ClientError) as raised:
            await self.call(operation, **parameters)
        error = raised.value.response["Error"]
        return raised.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def status(answer: Mapping[str, Any]) -> int:
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def content(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@asynccontextmanager
async def served(
    code_dir: Path,
    store: ControlStore | None = None,
    *,
    declared: Sequence[Function] = (),
    accepts_code: bool = True,
    gone: set[str] | None = None,
    within_s: float = 90,
) -> AsyncIterator[FunctionScene]:
    """A server on a port of its own; a `store` and a folder that were used before are those that survived."""
    log, statistics, listener, limits = TailedLog(Unread()), ServerStatistics(), bind("127.0.0.1", 0), ServerLimits()
    targets: dict[str, MemoryTarget] = {}
    missing = {GONE} if gone is None else gone

    def target(arn: str) -> MemoryTarget:
        if arn in missing:
            raise ConfigurationError(f"The destination ARN {arn} is invalid.")
        return targets.setdefault(arn, MemoryTarget())

    settings = Settings(events="memory", targets=target, log=log)
    async with AsyncExitStack() as stack:
        stack.enter_context(anyio.fail_after(within_s))
        runtimes = {
            each.function_name: await stack.enter_async_context(
                FunctionRuntime(each, region=REGION, account_id=ACCOUNT, log=log)
            )
            for each in declared
        }
        here = Here(
            {each.function_name: each for each in declared},
            runtimes,
            {each.function_name: FunctionSlots(each.concurrency) for each in declared},
            settings,
            Connections(settings, stack),
            REGION,
            ACCOUNT,
        )
        queues = AsynchronousQueues(here, stack)
        await queues.prepare()
        for each in declared:
            await queues.open(each)
        live = LiveFunctions(here, queues, log, 5.0)
        functions = ControlledFunctions(
            live, store or MemoryControl(), code_dir, declared=declared, accepts_code=accepts_code
        )
        tasks = await stack.enter_async_context(anyio.create_task_group())
        await tasks.start(_running(live))
        await tasks.start(_running(functions))
        api = LambdaApi(function_routes(functions), tag_routes({"function": functions}), refused_routes())
        server_settings = ServerSettings(region=REGION, account_id=ACCOUNT, limits=limits)
        app = ServerApp(live.invokable, {}, server_settings, statistics, apis=[api])
        async with serving(app, listener, limits=limits, statistics=statistics, stop_budget_s=5):
            yield FunctionScene(
                app, Accepted(), statistics, url_of(listener), functions=functions, live=live, targets=targets
            )
        await functions.drain()
        await live.drain(5.0)


def _running(part: LiveFunctions | ControlledFunctions) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def run(*, task_status: Any) -> None:
        await part.run(task_status=task_status)

    return run
