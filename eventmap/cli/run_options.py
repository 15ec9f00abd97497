"""What `eventmap run` was asked for, as one plain value that also travels to its workers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventmap.cli.failure import Misuse
from eventmap.function import Isolation


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options, by their names on the command line; None and () = not given."""

    targets: tuple[str, ...] = ()
    sqs: tuple[str, ...] = ()
    batch_size: int | None = None
    maximum_batching_window_in_seconds: int | None = None
    maximum_concurrency: int | None = None
    filter: tuple[str, ...] = ()
    report_batch_item_failures: bool | None = None
    timeout: int | None = None
    memory_size: int | None = None
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    isolation: Isolation | None = None
    local: bool = False
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    config: str | None = None
    until_empty: bool = False
    send: str | None = None
    workers: int = 1
    watch: bool = False
    drain_seconds: float | None = None
    log_format: str = "auto"
    verbose: bool = False
    emulator_url: str | None = None  #: set by the supervisor: the embedded emulator it already runs, queues and all

    @classmethod
    def given(cls, **typed: Any) -> RunOptions:
        """From what typer read. Raises: Misuse."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in typed.items()
        }
        for name in ("targets", "sqs", "filter"):
            plain[name] = plain[name] or ()
        plain["env"] = variables(plain["env"] or ())
        for name in ("isolation", "log_format"):
            plain[name] = None if plain[name] is None else str(plain[name])
        return cls(**plain)

    @property
    def mapping_settings(self) -> dict[str, Any]:
        """The settings of each `--sqs` mapping that were given, by their names in `EventSourceMapping`."""
        settings: dict[str, Any] = {
            name: value
            for name in ("batch_size", "maximum_batching_window_in_seconds", "maximum_concurrency")
            if (value := getattr(self, name)) is not None
        }
        if self.filter:
            settings["filter_criteria"] = {"Filters": [{"Pattern": text} for text in self.filter]}
        if self.report_batch_item_failures is not None:
            settings["function_response_types"] = (
                ("ReportBatchItemFailures",) if self.report_batch_item_failures else ()
            )
        return settings

    @property
    def function_settings(self) -> dict[str, Any]:
        """The settings for every function that were given, by their names in `Function`; not its environment."""
        names = ("timeout", "memory_size", "isolation")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunOptions:
        """What `to_json` wrote."""
        document: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()
        }
        return cls(**document)


def variables(given: tuple[str, ...] | list[str]) -> dict[str, str]:
    """`K=V` texts as a mapping; the value may hold more `=`. Raises: Misuse."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Misuse(f"--env {text!r} is not of the form NAME=VALUE")
        found[name] = value
    return found
