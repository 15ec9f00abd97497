"""The pytest plugin: async tests on virtual time; SQS, SNS, Kinesis and DynamoDB in memory.

A coroutine test runs on virtual time when it is marked (`@pytest.mark.virtual_time`, also by `pytestmark`) or asks for
the fixture `virtual_time`. The plugin then runs it, and the function-scoped async fixtures it asks for, in one task on
one fresh `VirtualTimeLoop`; so a fixture may hold a task group or a cancel scope open across its yield. All other tests
are left to pytest-asyncio or anyio, whichever is installed; neither is needed here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from eventmap.testing.memory_dynamodb import MemoryDynamoDb
    from eventmap.testing.memory_kinesis import MemoryKinesis
    from eventmap.testing.memory_s3 import MemoryS3
    from eventmap.testing.memory_sns import MemorySns
    from eventmap.testing.memory_sqs import MemorySqs
    from eventmap.testing.virtual_time import VirtualTimeLoop
    from eventmap.testing.virtual_time_host import VirtualTimeHost

_HOST = "_eventmap_virtual_time_host"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "virtual_time: run this coroutine test on a loop whose clock jumps to the next deadline (eventmap)"
    )


@pytest.fixture(name=_HOST)
def _virtual_time_host() -> Iterator[VirtualTimeHost]:
    from eventmap.testing.virtual_time_host import VirtualTimeHost

    with VirtualTimeHost() as host:
        yield host


@pytest.fixture
def virtual_time(request: pytest.FixtureRequest) -> VirtualTimeLoop:
    """The loop the test runs on; asking for it is what puts the test on virtual time."""
    host: VirtualTimeHost = request.getfixturevalue(_HOST)
    return host.loop


@pytest.fixture
def memory_sqs() -> MemorySqs:
    """A fresh in-memory SQS without queues; it follows the clock of whatever loop the test runs on."""
    from eventmap.testing.memory_sqs import MemorySqs

    return MemorySqs()


@pytest.fixture
def memory_sns(memory_sqs: MemorySqs) -> MemorySns:
    """A fresh in-memory SNS without topics, on the same terms; its queues are those of `memory_sqs`."""
    from eventmap.testing.memory_sns import MemorySns

    return MemorySns(queues=memory_sqs)


@pytest.fixture
def memory_s3(memory_sqs: MemorySqs) -> MemoryS3:
    """A fresh in-memory S3 without buckets; it tells the queues of `memory_sqs`."""
    from eventmap.testing.memory_s3 import MemoryS3

    return MemoryS3(queues=memory_sqs)


@pytest.fixture
def memory_kinesis() -> MemoryKinesis:
    """A fresh in-memory Kinesis without streams, on the same terms."""
    from eventmap.testing.memory_kinesis import MemoryKinesis

    return MemoryKinesis()


@pytest.fixture
def memory_dynamodb() -> MemoryDynamoDb:
    """A fresh in-memory DynamoDB without tables, on the same terms."""
    from eventmap.testing.memory_dynamodb import MemoryDynamoDb

    return MemoryDynamoDb()


# Innermost, so that a test is synchronous before pytest-asyncio looks whether it is a coroutine.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Function) and _is_virtual(item):
            _make_synchronous(item)
    return made


# Outermost, so that an async fixture is synchronous before anybody else adopts it.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    func = fixturedef.func
    item = request.node
    is_async = inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func)
    if not (is_async and fixturedef.scope == "function" and isinstance(item, pytest.Function) and _is_virtual(item)):
        return (yield)
    host: VirtualTimeHost = request.getfixturevalue(_HOST)
    if request.instance is not None and inspect.ismethod(func) and isinstance(request.instance, type(func.__self__)):
        func = func.__func__.__get__(request.instance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixturedef, "func", functools.partial(_open_fixture, host, request, func))
        return (yield)


def _open_fixture(
    host: VirtualTimeHost, request: pytest.FixtureRequest, func: Callable[..., Any], /, **kwargs: Any
) -> Any:
    if inspect.iscoroutinefunction(func):
        return host.run(func(**kwargs))
    generator = func(**kwargs)
    value = host.run(anext(generator))

    def close() -> None:
        if host.run(anext(generator, _HOST)) is not _HOST:
            raise ValueError(f"async fixture {request.fixturename!r} yielded more than once")

    request.addfinalizer(close)
    return value


def _is_virtual(item: pytest.Function) -> bool:
    return item.get_closest_marker("virtual_time") is not None or "virtual_time" in item.fixturenames


def _make_synchronous(item: pytest.Function) -> None:
    test = item.obj
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        def run(**kwargs: Any) -> None:
            host: Any = item.funcargs[_HOST]
            host.run(test(**kwargs))

        item.obj = run
        if _HOST not in item.fixturenames:
            item.fixturenames.insert(0, _HOST)
    elif hasattr(test, "hypothesis") and inspect.iscoroutinefunction(test.hypothesis.inner_test):
        test.hypothesis.inner_test = _on_fresh_loop(test.hypothesis.inner_test)


def _on_fresh_loop(test: Callable[..., Any]) -> Callable[..., None]:
    """Give every example of a hypothesis test its own loop."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        from eventmap.testing.virtual_time import run_in_virtual_time

        run_in_virtual_time(functools.partial(test, *args, **kwargs))

    return run
