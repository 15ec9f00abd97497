"""Tags of mappings and functions: three operations, one route, by the kind of the ARN."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from eventmap.model import JsonObject
from eventmap.rules.tags import read_tags
from eventmap.server.lambda_api import ApiError, Call, Route

_TEMPLATE: Final = "/2017-03-31/tags/{ARN}"
_ARN: Final = re.compile(r"arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:([a-z-]+):.+", re.ASCII)


class Tagged(Protocol):
    """What has tags: the mappings, or the functions.

    Raises: ApiError (404 for one that is not there), ConfigurationError, StateError.
    """

    async def tags(self, arn: str) -> Mapping[str, str]: ...

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add these, in place of those of the same keys; they were read by `rules.tags.read_tags`."""

    async def untag(self, arn: str, keys: Sequence[str]) -> None:
        """A key that is not there is fine."""


def tag_routes(kinds: Mapping[str, Tagged]) -> list[Route]:
    """`kinds` by the word in the ARN: `event-source-mapping`, `function`."""

    def found(call: Call) -> tuple[Tagged, str]:
        arn = call.parameters["ARN"]
        match = _ARN.fullmatch(arn)
        if match is None:
            raise ApiError(400, "InvalidParameterValueException", f"{arn!r} is not the ARN of a Lambda resource")
        if (kind := kinds.get(match[1])) is None:
            raise ApiError(
                400,
                "InvalidParameterValueException",
                f"{arn} cannot be tagged here: tags are kept of {' and '.join(sorted(kinds))}",
            )
        return kind, arn

    async def list_tags(call: Call) -> JsonObject:
        kind, arn = found(call)
        return {"Tags": dict(await kind.tags(arn))}

    async def tag_resource(call: Call) -> None:
        kind, arn = found(call)
        tags = read_tags(call.body.get("Tags"))
        if not tags:
            raise ApiError(400, "InvalidParameterValueException", "Tags must name at least one tag")
        await kind.tag(arn, tags)

    async def untag_resource(call: Call) -> None:
        kind, arn = found(call)
        keys = call.query.get("tagKeys", ())
        if not keys:
            raise ApiError(400, "InvalidParameterValueException", "tagKeys must name at least one key")
        await kind.untag(arn, keys)

    return [
        Route("ListTags", "GET", _TEMPLATE, 200, list_tags),
        Route("TagResource", "POST", _TEMPLATE, 204, tag_resource),
        Route("UntagResource", "DELETE", _TEMPLATE, 204, untag_resource),
    ]
