"""A DynamoDB table in memory, as far as its streams go: items by key, and what each change of one is in a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from eventmap.errors import SourceError
from eventmap.testing.dynamodb_items import ITEM_BYTES, VALIDATION, Item, canonical_item, item_bytes, key_text
from eventmap.testing.sqs_settings import ACCOUNT, REGION

ViewType = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]

EXPIRED_BY: Final = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


@dataclass(frozen=True, slots=True)
class Change:
    """One write that changed an item: at least one of the images is there, and they differ."""

    keys: Item
    old: Item | None  #: None = it was not there
    new: Item | None  #: None = it is gone

    @property
    def event_name(self) -> str:
        if self.old is None:
            return "INSERT"
        return "REMOVE" if self.new is None else "MODIFY"

    def images(self, view_type: str) -> dict[str, Item]:
        """What a stream of this view type shows beside the keys (STR-130)."""
        images: dict[str, Item] = {}
        if self.new is not None and view_type in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["NewImage"] = self.new
        if self.old is not None and view_type in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["OldImage"] = self.old
        return images


class Table:
    """Items by key. A method that writes returns the change, or None where nothing changed (STR-132).

    Each raises SourceError `ValidationException` for a key or an item DynamoDB would not take.
    """

    def __init__(self, name: str, key: str, sort_key: str | None, created_at: float) -> None:
        self.name: str = name
        self.arn: str = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
        self.key: str = key
        self.created_at: float = created_at
        self.key_names: tuple[str, ...] = (key,) if sort_key is None else (key, sort_key)
        self._key_types: dict[str, str] = {}  # as the first item has them
        self._items: dict[bytes, Item] = {}

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(self._items.values())

    @property
    def key_schema(self) -> list[dict[str, str]]:
        roles = zip(self.key_names, ("HASH", "RANGE"), strict=False)
        return [{"AttributeName": name, "KeyType": role} for name, role in roles]

    @property
    def attribute_definitions(self) -> list[dict[str, str]]:
        """The keys'; S until the first item says otherwise."""
        return [{"AttributeName": name, "AttributeType": self._key_types.get(name, "S")} for name in self.key_names]

    def put(self, item: Mapping[str, Mapping[str, Any]]) -> Change | None:
        new = canonical_item(item)
        return self._write(self._keys(new), new)

    def update(
        self, key: Mapping[str, Mapping[str, Any]], attributes: Mapping[str, Mapping[str, Any]]
    ) -> Change | None:
        keys = self._whole_key(key)
        if attributes.keys() & keys.keys():
            raise SourceError("a key cannot be updated: put another item", code=VALIDATION)
        old = self._items.get(key_text(keys)) or keys
        return self._write(keys, {**old, **canonical_item(attributes)})

    def delete(self, key: Mapping[str, Mapping[str, Any]]) -> Change | None:
        return self._write(self._whole_key(key), None)

    def _write(self, keys: Item, new: Item | None) -> Change | None:
        text = key_text(keys)
        old = self._items.get(text)
        if old == new:
            return None
        if new is None:
            del self._items[text]
        elif item_bytes(new) > ITEM_BYTES:
            raise SourceError(f"an item has at most {ITEM_BYTES} bytes", code=VALIDATION)
        else:
            self._items[text] = new
            self._key_types |= {name: next(iter(value)) for name, value in keys.items()}
        return Change(keys, old, new)

    def _whole_key(self, key: Mapping[str, Mapping[str, Any]]) -> Item:
        canonical = canonical_item(key)
        if canonical.keys() != set(self.key_names):
            raise SourceError(f"the key is {', '.join(self.key_names)}, not {sorted(canonical)}", code=VALIDATION)
        return self._keys(canonical)

    def _keys(self, item: Item) -> Item:
        keys = {name: item[name] for name in self.key_names if name in item}
        kinds = {name: next(iter(value)) for name, value in keys.items()}
        if len(keys) < len(self.key_names) or not set(kinds.values()) <= {"S", "N", "B"}:
            raise SourceError(f"an item needs {', '.join(self.key_names)}, each of type S, N or B", code=VALIDATION)
        if any(self._key_types.get(name, kind) != kind for name, kind in kinds.items()):
            raise SourceError(f"the key's types are {self._key_types}, not {kinds}", code=VALIDATION)
        return keys
