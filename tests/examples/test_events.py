"""The examples of schedules, event buses and HTTP: run as they stand, and what they promise."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from eventmap.testing import events
from examples import nightly_cleanup, order_saga
from tests.cli.command import REPOSITORY, started

KEYS = {"AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the examples, as in a clone."""
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    return tmp_path


def command_of(example: str, **instead: str) -> str:
    """The command in an example's first lines; `instead` = other values of its options."""
    text = (REPOSITORY / "examples" / f"{example}.py").read_text()
    [shown] = re.findall(r"^(?:\w+=\S+ )?eventmap (\w+ .*)$", text, re.MULTILINE)
    for option, value in instead.items():
        shown, changed = re.subn(rf"--{option} \S+", f"--{option} {value}", shown)
        assert changed == 1
    return shown


def request(method: str, url: str, document: Any = None) -> tuple[int, Any]:
    body = None if document is None else json.dumps(document).encode()
    asked = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    return status, json.loads(text) if text else None


@pytest.mark.server
def test_src_95_98_an_order_is_created_read_listed_changed_and_deleted(clone: Path) -> None:
    """CRUD over HTTP, the table in the embedded emulator; what is wrong is answered with what is wrong."""
    with started(command_of("order_resource", **{"http-api": "0"}), cwd=clone, env=KEYS) as run:
        run.wait_for("-> delete")
        url = re.findall(r"POST (http://\S+/orders) -> create", "".join(run.stderr))[0]
        status, made = request("POST", url, {"item": "tea", "quantity": 2})
        read = request("GET", f"{url}/{made['id']}")
        listed = request("GET", url)
        changed = request("PUT", f"{url}/{made['id']}", {"item": "tea", "quantity": 3})
        deleted = request("DELETE", f"{url}/{made['id']}")
        gone = request("GET", f"{url}/{made['id']}")
        wrong = request("POST", url, {"item": "tea", "quantity": 0})
        nowhere = request("PUT", f"{url}/nothing", {"item": "tea", "quantity": 1})

    assert (status, made["item"]) == (201, "tea")
    assert read == (200, made)
    assert listed == (200, {"orders": [made]})
    assert changed == (200, {**made, "quantity": 3})
    assert deleted == (204, None)
    assert gone == (404, {"message": "no such order"})
    assert wrong == (400, {"message": "a quantity is a whole number from 1 to 1000"})
    assert nowhere == (404, {"message": "no such order"})


@pytest.mark.server
def test_src_40_47_a_saga_goes_its_way_or_takes_back_what_it_did(clone: Path) -> None:
    """One order is shipped, another one, for which there is no stock, is cancelled and its payment given back."""
    with started(command_of("order_saga", port="0"), cwd=clone, env=KEYS) as run:
        run.wait_for("serving at")
        [url] = re.findall(r"serving at (http://\S+?)\. Ctrl-C", "".join(run.stderr))
        client = boto3.client(
            "events", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        orders = [{"id": 1, "item": "tea", "total": 20}, {"id": 2, "item": "coffee", "total": 5}]
        put = client.put_events(
            Entries=[{"Source": "shop", "DetailType": "OrderPlaced", "Detail": json.dumps(order)} for order in orders]
        )
        client.close()
        run.wait_for("order 1: OrderShipped")
        run.wait_for("order 2: OrderCancelled")

    assert put["FailedEntryCount"] == 0
    told = re.findall(r"order (\d): (\w+)", "".join(run.stdout))
    assert [what for number, what in told if number == "1"] == ["PaymentTaken", "StockReserved", "OrderShipped"]
    assert [what for number, what in told if number == "2"] == ["PaymentTaken", "StockMissing", "OrderCancelled"]


def test_a_step_that_is_told_twice_reserves_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At least once is what a bus promises."""
    told: list[str] = []
    monkeypatch.setattr(order_saga, "tell", lambda detail_type, order: told.append(detail_type))
    event = events.event_bridge("shop", "PaymentTaken", {"id": 3, "item": "tea", "total": 1})
    before = order_saga.STOCK["tea"]

    order_saga.reserve_stock(event, None)
    order_saga.reserve_stock(event, None)

    assert told == ["StockReserved", "StockReserved"]
    assert order_saga.STOCK["tea"] == before - 1


def test_the_clean_up_removes_what_is_old_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders and links stay; a second night finds nothing left to do."""
    old = time.time() - nightly_cleanup.KEPT_S - 60
    for name in ("old", "older", "new"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "new")
    for name in ("old", "older", "folder"):
        os.utime(tmp_path / name, (old, old))
    monkeypatch.setenv("FOLDER", str(tmp_path))

    first, second = nightly_cleanup.clean_up({}, None), nightly_cleanup.clean_up({}, None)

    assert (first, second) == (2, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "new"]


def test_src_80_the_clean_up_is_due_at_three_in_berlin() -> None:
    """In winter and in summer."""
    [schedule] = nightly_cleanup.app.mappings()
    timetable: Any = schedule.timetable  # type: ignore[union-attr]
    winter, summer = (int(datetime(2026, month, 10, 12, tzinfo=UTC).timestamp()) for month in (1, 7))

    due = [datetime.fromtimestamp(timetable.next(after), UTC) for after in (winter, summer)]

    assert [(each.hour, each.minute) for each in due] == [(2, 0), (1, 0)]
