"""Entries of PutEvents, and what S3 puts on a bus."""

from __future__ import annotations

from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel

from eventmap.errors import BusRefusal
from eventmap.rules.bus.entry import SIZE_LIMIT_BYTES, EntryError, check_size, read_entry
from eventmap.rules.bus.event import BusEvent
from eventmap.rules.bus.region import Region
from eventmap.rules.bus.sources import s3_event

REGION = Region("eu-west-1", "123456789012")
ACCOUNT_AND_REGION = ("123456789012", "eu-west-1")
NOW = 1_767_225_600.9
ENTRY = {"Source": "shop", "DetailType": "order", "Detail": '{"a":1}'}


def read(**members: Any) -> BusEvent | EntryError:
    return read_entry({**ENTRY, **members}, REGION, event_id="id-1", now=NOW)


def test_src_40_41_an_entry_becomes_an_event() -> None:
    """With the region and account of the bus, and the time now if none is said."""
    event = read(Resources=["r1", "r2"], TraceHeader="Root=1")

    assert isinstance(event, BusEvent)
    assert event.document() == {
        "version": "0",
        "id": "id-1",
        "detail-type": "order",
        "source": "shop",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "eu-west-1",
        "resources": ["r1", "r2"],
        "detail": {"a": 1},
    }
    assert (event.ingested_at, event.trace_id) == (NOW, "Root=1")


@pytest.mark.parametrize("time", [1700000000, 1700000000.7, "2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00"])
def test_src_41_the_time_of_an_entry_is_kept(time: object) -> None:
    """In seconds, or as text."""
    event = read(Time=time)

    assert isinstance(event, BusEvent)
    assert event.time == "2023-11-14T22:13:20Z"


def test_src_41_a_time_that_is_none_fails_the_request() -> None:
    """It is no matter of one entry: such JSON is none of the API's."""
    with pytest.raises(BusRefusal) as refused:
        read(Time="yesterday")

    assert refused.value.error_type == "SerializationException"


def test_src_40_powertools_reads_an_event() -> None:
    """Its data class, and its parser's model."""
    event = read(Resources=["r1"])
    assert isinstance(event, BusEvent)

    seen = EventBridgeEvent(event.document())
    parsed = EventBridgeModel.model_validate(event.document())

    assert (seen.source, seen.detail_type, seen.detail, seen.resources) == ("shop", "order", {"a": 1}, ["r1"])
    assert (parsed.id, parsed.detail_type, parsed.account, parsed.region) == ("id-1", "order", *ACCOUNT_AND_REGION)


TOO_LONG = "Parameter {0} is not valid. Reason: {0} must be {1} characters or fewer."
REQUIRED = "Parameter {0} is not valid. Reason: {0} is a required argument."


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({"Source": None}, "InvalidArgument", REQUIRED.format("Source")),
        ({"DetailType": ""}, "InvalidArgument", REQUIRED.format("DetailType")),
        ({"Detail": None}, "InvalidArgument", REQUIRED.format("Detail")),
        ({"Detail": "{"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": "[]"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": '"text"'}, "MalformedDetail", "Detail is malformed."),
        ({"Source": "aws.s3"}, "NotAuthorizedForSourceException", "Not authorized for the source."),
        ({"DetailType": "x" * 129}, "InvalidArgument", TOO_LONG.format("DetailType", 128)),
        ({"Source": "x" * 257}, "InvalidArgument", TOO_LONG.format("Source", 256)),
    ],
)
def test_src_41_a_bad_entry_fails_alone(members: dict[str, Any], code: str, message: str) -> None:
    """With AWS' code and words."""
    assert read(**members) == EntryError(code, message)


@pytest.mark.parametrize("members", [{"Source": "awsome"}, {"DetailType": "x" * 128}, {"Detail": "{}"}])
def test_src_41_what_is_just_within_bounds_is_taken(members: dict[str, Any]) -> None:
    """Only `aws.` is reserved."""
    assert isinstance(read(**members), BusEvent)


def test_src_41_the_entries_of_a_request_have_a_limit_together() -> None:
    """Counted as AWS does: text in UTF-8, 14 bytes for a time."""
    fits = {
        "Source": "é",
        "DetailType": "",
        "Detail": "x" * (SIZE_LIMIT_BYTES - 2 - 14 - 3),
        "Time": 0,
        "Resources": ["abc"],
    }

    check_size([fits])
    with pytest.raises(BusRefusal, match="Total size of the entries in the request is over the limit"):
        check_size([fits, {"Source": "s"}])


RECORD: dict[str, Any] = {
    "eventSource": "aws:s3",
    "awsRegion": "eu-west-1",
    "eventTime": "2026-01-31T12:00:00.123Z",
    "eventName": "ObjectCreated:Put",
    "userIdentity": {"principalId": "A1"},
    "requestParameters": {"sourceIPAddress": "10.0.0.1"},
    "responseElements": {"x-amz-request-id": "R1", "x-amz-id-2": "X"},
    "s3": {
        "bucket": {"name": "photos", "arn": "arn:aws:s3:::photos"},
        "object": {"key": "a+b/%C3%A9.jpg", "size": 7, "eTag": "e1", "sequencer": "00A1"},
    },
}


def test_src_31_s3_tells_a_bus_what_it_tells_a_function() -> None:
    """In the bus' shape; the key is not encoded."""
    event = s3_event(RECORD, REGION, now=NOW)

    assert event is not None
    assert event.document() == {
        "version": "0",
        "id": event.event_id,
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-01-31T12:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:s3:::photos"],
        "detail": {
            "version": "0",
            "bucket": {"name": "photos"},
            "object": {"key": "a b/é.jpg", "size": 7, "etag": "e1", "sequencer": "00A1"},
            "request-id": "R1",
            "requester": "A1",
            "source-ip-address": "10.0.0.1",
            "reason": "PutObject",
        },
    }


@pytest.mark.parametrize(
    ("name", "detail_type", "more"),
    [
        ("ObjectCreated:CompleteMultipartUpload", "Object Created", {"reason": "CompleteMultipartUpload"}),
        (
            "ObjectRemoved:DeleteMarkerCreated",
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"},
        ),
        (
            "LifecycleExpiration:Delete",
            "Object Deleted",
            {"reason": "Lifecycle Expiration", "requester": "s3.amazonaws.com"},
        ),
        ("s3:ObjectRestore:Completed", "Object Restore Completed", {}),
        ("LifecycleTransition", "Object Storage Class Changed", {}),
        ("IntelligentTiering", "Object Access Tier Changed", {}),
        ("ObjectAcl:Put", "Object ACL Updated", {}),
        ("ObjectTagging:Delete", "Object Tags Deleted", {}),
    ],
)
def test_src_31_every_kind_of_event_has_its_type(name: str, detail_type: str, more: dict[str, str]) -> None:
    """And what is said about it."""
    event = s3_event({**RECORD, "eventName": name}, REGION, now=NOW)

    assert event is not None
    document: Any = event.document()
    assert event.detail_type == detail_type
    assert more.items() <= document["detail"].items()


def test_src_31_what_s3_tells_no_bus_of_is_none() -> None:
    """Replication, say."""
    assert s3_event({**RECORD, "eventName": "Replication:OperationFailedReplication"}, REGION, now=NOW) is None


def test_src_31_32_one_change_is_one_event() -> None:
    """Told of twice it has the same id; another change has another."""

    def told(sequencer: str) -> str:
        entity = {**RECORD["s3"], "object": {**RECORD["s3"]["object"], "sequencer": sequencer}}
        event = s3_event({**RECORD, "s3": entity}, REGION, now=0)
        assert event is not None
        return event.event_id

    assert told("00A1") == told("00A1") != told("00A2")
