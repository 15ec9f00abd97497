"""The examples of pushes: the commands they show, run as they stand, and what they promise."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from examples import order_fanout
from tests.cli.command import REPOSITORY, eventmap

WHERE = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the examples, as in a clone."""
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    return tmp_path


def command_of(example: str) -> str:
    """The command in an example's first lines."""
    text = (REPOSITORY / "examples" / f"{example}.py").read_text()
    [shown] = re.findall(r"^eventmap (run .*?(?:\\\\\n.*)?)$", text, re.MULTILINE)
    return re.sub(r"\\\\\n\s*", "", shown)


@pytest.mark.server
def test_an_order_fans_out_to_three_functions(clone: Path) -> None:
    """Every order is billed and shipped, the large ones are thanked for."""
    ended = eventmap(command_of("order_fanout"), cwd=clone)

    orders = [json.loads(line)["message"] for line in (clone / "examples/placed_orders.jsonl").read_text().splitlines()]
    assert ended.code == 0, ended.stderr
    for order in orders:
        assert f"bill for order {order['id']}:" in ended.stdout
        assert f"order {order['id']} goes to {order['address']}" in ended.stdout
        assert (f"a thank-you to {order['customer']}" in ended.stdout) is (order["total"] >= 100)


def test_an_order_without_an_address_fails_where_it_is_shipped_and_nowhere_else() -> None:
    """The functions know nothing of each other."""
    message = json.dumps({"id": 9, "customer": "Ada", "total": 1})
    event: Any = {"Records": [{"Sns": {"Message": message}}]}

    order_fanout.bill(event, None)
    with pytest.raises(KeyError, match="address"):
        order_fanout.ship(event, None)


@pytest.mark.server
def test_every_upload_has_a_thumbnail(clone: Path) -> None:
    """Through the bucket and back; what is in the bucket already, and the thumbnails themselves, start nothing."""
    ended = eventmap(command_of("thumbnail"), cwd=clone)

    keys = [json.loads(line)["key"] for line in (clone / "examples/uploads.jsonl").read_text().splitlines()]
    assert ended.code == 0, ended.stderr
    for key in keys:
        assert f"{key} -> thumbnails/{Path(key).name}" in ended.stdout
    assert ended.stdout.count("START") == len(keys)


def test_a_thumbnail_is_small_and_keeps_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """128 pixels at most, as PNG; an image that is too large is refused before it is read."""
    for name, value in WHERE.items():
        monkeypatch.setenv(name, value)
    from examples import thumbnail

    wide = Image.new("RGB", (640, 320), "red")
    file = io.BytesIO()
    wide.save(file, "JPEG")

    small = Image.open(io.BytesIO(thumbnail.thumbnail(file.getvalue())))

    assert (small.size, small.format) == ((128, 64), "PNG")
    huge = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(huge, "PNG")
    with pytest.raises(ValueError, match="more than a thumbnail is worth"):
        thumbnail.thumbnail(huge.getvalue())
