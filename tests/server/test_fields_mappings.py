"""No silent parameter: every member of the operations on mappings, tags and of Invoke has its fate."""

from __future__ import annotations

import pytest

from eventmap.errors import InvalidParameterValue
from eventmap.rules.mapping_api.request import read_create, read_update
from eventmap.rules.mapping_api.source import Source

from .fields_mappings import TABLE
from .service_model import body_with, check_table, members_of

ARNS: dict[Source, str] = {
    "sqs": "arn:aws:sqs:eu-west-1:123456789012:jobs",
    "kinesis": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
    "dynamodb": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000",
}
REFUSED = [
    (operation, member)
    for operation in ("CreateEventSourceMapping", "UpdateEventSourceMapping")
    for member, fate in TABLE[operation].items()
    if fate.startswith("refused") and any(each.startswith(member) for each in members_of("lambda", operation))
]


def test_every_member_has_its_fate() -> None:
    """A member that a newer botocore brings is missing here until somebody decides."""
    assert check_table("lambda", TABLE) == []


@pytest.mark.parametrize(("operation", "member"), REFUSED)
def test_what_the_table_calls_refused_is_refused(operation: str, member: str) -> None:
    """With the whole of the member, for every kind of source."""
    body = body_with("lambda", operation, member)
    for source, arn in ARNS.items():
        with pytest.raises(InvalidParameterValue) as refused:
            if operation == "UpdateEventSourceMapping":
                read_update(body, source)
            else:
                read_create({"FunctionName": "pay", "EventSourceArn": arn, **body})
        assert str(refused.value).startswith(TABLE[operation][member].removeprefix("refused: ").partition("…")[0])


def test_bodies_are_made_from_the_model() -> None:
    """A leaf, a list, a structure with what it has."""
    assert body_with("lambda", "CreateEventSourceMapping", "FilterCriteria.Filters[].Pattern") == {
        "FilterCriteria": {"Filters": [{"Pattern": "x"}]}
    }
    assert body_with("lambda", "CreateEventSourceMapping", "DestinationConfig.OnSuccess") == {
        "DestinationConfig": {"OnSuccess": {"Destination": "x"}}
    }
    assert body_with("lambda", "UntagResource", "TagKeys[]") == {"TagKeys": ["x"]}
    assert body_with("lambda", "CreateEventSourceMapping", "BatchSize") == {"BatchSize": 1}
