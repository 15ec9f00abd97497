"""S3's notifications: found in whatever carries them, matched as the bucket would, and told apart."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from aws_lambda_powertools.utilities.data_classes import S3Event
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.rules.s3_event import decoded_key, events_of, identity, is_later, lambda_event, matches, overlap
from eventmap.subscription import S3Notification

TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-01-01T00:00:00.000Z",
    "Bucket": "photos",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
}


def record(key: str = "in/a.png", event: str = "ObjectCreated:Put", **of_object: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": event,
        "userIdentity": {"principalId": "AWS:AIDA"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "mine",
            "bucket": {"name": "photos", "ownerIdentity": {"principalId": "A3NL1KOZ"}, "arn": "arn:aws:s3:::photos"},
            "object": {"key": key, "size": 1, "eTag": "d41d8cd9", "sequencer": "0055AED6DCD90281E5", **of_object},
        },
    }


def told(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def enveloped(message: str) -> str:
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "m1",
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:photos",
            "Subject": "Amazon S3 Notification",
            "Message": message,
            "Timestamp": "2026-01-01T00:00:00.000Z",
        }
    )


def asking(*events: str, prefix: str = "", suffix: str = "") -> S3Notification:
    return S3Notification(bucket="photos", function_name="f", events=events, prefix=prefix, suffix=suffix)


def test_src_20_28_30_a_notification_is_found_direct_and_in_envelopes() -> None:
    """SRC-20, 28, 30: as S3 sends it, as a topic wraps it, and wrapped twice; several records stay several."""
    text = told(record("a"), record("b"))

    assert events_of(text) == events_of(enveloped(text)) == events_of(enveloped(enveloped(text)))
    assert [each["s3"]["object"]["key"] for each in events_of(text)] == ["a", "b"]  # type: ignore[call-overload,index]


def test_src_05_20_powertools_reads_the_event() -> None:
    """SRC-05, 20: an independent reader finds what we pass on."""
    [read] = S3Event(json.loads(lambda_event(events_of(told(record("a+b%C3%BC.png")))))).records

    assert (read.event_name, read.s3.bucket.name, read.s3.get_object.key) == (
        "ObjectCreated:Put",
        "photos",
        "a+b%C3%BC.png",
    )


@pytest.mark.parametrize("text", [json.dumps(TEST_EVENT), enveloped(json.dumps(TEST_EVENT))])
def test_src_06_29_the_test_event_is_nothing_to_run(text: str) -> None:
    """SRC-06, 29: it is acknowledged and skipped."""
    assert events_of(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "null",
        "{}",
        '{"Records": []}',
        '{"Records": {}}',
        '{"Records": [1]}',
        '{"Records": [{"eventSource": "aws:sqs"}]}',
        '{"Records": [{"eventSource": "aws:s3"}]}',
        told({**record(), "s3": {"bucket": {"name": 1}, "object": {"key": "a"}}}),
        "[" * 100_000,
        enveloped("no JSON"),
        enveloped(enveloped(enveloped(enveloped(enveloped(told(record())))))),
    ],
)
def test_src_30_what_is_no_notification_is_refused_in_words(text: str) -> None:
    """SRC-30: and nothing of it is repeated in them."""
    with pytest.raises(ValueError, match="it is no notification of S3"):
        events_of(text)


@pytest.mark.parametrize(
    ("encoded", "key"),
    [("a+b.png", "a b.png"), ("a%2Bb.png", "a+b.png"), ("%C3%BC/x", "ü/x"), ("in/a", "in/a"), ("100%25", "100%")],
)
def test_src_22_keys_are_encoded_like_a_forms_values(encoded: str, key: str) -> None:
    """SRC-22."""
    assert decoded_key(encoded) == key


@pytest.mark.parametrize(
    ("event", "configured", "expected"),
    [
        ("ObjectCreated:Put", "s3:ObjectCreated:*", True),
        ("ObjectCreated:Put", "s3:ObjectCreated:Put", True),
        ("ObjectCreated:Put", "s3:ObjectCreated:Post", False),
        ("ObjectCreated:CompleteMultipartUpload", "s3:ObjectCreated:*", True),
        ("ObjectRemoved:DeleteMarkerCreated", "s3:ObjectRemoved:*", True),
        ("ObjectRemoved:Delete", "s3:ObjectCreated:*", False),
        ("ReducedRedundancyLostObject", "s3:ReducedRedundancyLostObject", True),
        ("s3:ObjectCreated:Put", "s3:ObjectCreated:*", True),
        ("ObjectTagging:Put", "s3:ObjectAcl:Put", False),
        ("LifecycleTransition", "s3:LifecycleTransition", True),
        ("LifecycleTransition", "s3:LifecycleTransition:*", True),
        ("LifecycleExpiration:DeleteMarkerCreated", "s3:LifecycleExpiration:Delete", False),
        ("ObjectRemoved:DeleteMarkerCreated", "s3:ObjectRemoved:Delete", False),
        ("ObjectCreated:*", "s3:ObjectCreated:Put", False),
        ("ObjectCreatedLater:Put", "s3:ObjectCreated:*", False),
        ("TestEvent", "s3:ObjectCreated:*", False),
        ("", "s3:ObjectCreated:*", False),
    ],
)
def test_src_21_25_event_names_and_configurations(event: str, configured: str, expected: bool) -> None:
    """SRC-21, 25: without and with `s3:`, and wildcards."""
    notification = S3Notification(bucket="photos", function_name="f", events=[configured])

    assert matches(record(event=event), notification) is expected


@pytest.mark.parametrize(
    ("key", "prefix", "suffix", "expected"),
    [
        ("in/a.png", "in/", ".png", True),
        ("out/a.png", "in/", ".png", False),
        ("in/a.PNG", "in/", ".png", False),
        ("a+b/c.png", "a b/", ".png", True),
        ("a%2Bb/c", "a+b/", "", True),
        ("x", "", "", True),
    ],
)
def test_src_26_prefix_and_suffix_are_about_the_unencoded_key(
    key: str, prefix: str, suffix: str, expected: bool
) -> None:
    """SRC-26: case-sensitive, too."""
    notification = asking("s3:ObjectCreated:*", prefix=prefix, suffix=suffix)

    assert matches(record(key), notification) is expected


def test_src_26_a_record_of_another_bucket_is_not_ours() -> None:
    """SRC-26."""
    other = record()
    other["s3"]["bucket"]["name"] = "others"

    assert not matches(other, asking("s3:ObjectCreated:*"))


@pytest.mark.parametrize(
    ("events", "prefix", "suffix", "expected"),
    [
        (["s3:ObjectCreated:*"], "", "", True),
        (["s3:ObjectCreated:Put"], "in/", ".png", True),
        (["s3:ObjectCreated:Put"], "in/deep/", "a.png", True),
        (["s3:ObjectCreated:Put"], "out/", ".png", False),
        (["s3:ObjectCreated:Put"], "in/", ".txt", False),
        (["s3:ObjectRemoved:*"], "", "", False),
        (["s3:ObjectRemoved:*", "s3:ObjectCreated:Copy"], "i", "g", True),
        (["s3:ObjectCreated:*"], "", ".PNG", False),
        ([], "", "", False),
    ],
)
def test_src_26_overlapping_configurations(events: list[str], prefix: str, suffix: str, expected: bool) -> None:
    """SRC-26: the same events, and a key that both would be about."""
    assert overlap(asking("s3:ObjectCreated:*", prefix="in/", suffix=".png"), events, prefix, suffix) is expected


@pytest.mark.parametrize(
    ("sequencer", "than", "expected"),
    [("0055AED6DCD90281E5", "0055AED6DCD90281E4", True), ("9", "10", False), ("10", "9", True), ("0A", "a", False)],
)
def test_src_24_sequencers_are_numbers_of_unequal_length(sequencer: str, than: str, expected: bool) -> None:
    """SRC-24: padded on the left, whatever the case of their digits."""
    assert is_later(sequencer, than) is expected


def test_src_24_32_a_change_is_known_by_the_same_name_whichever_way_it_comes() -> None:
    """SRC-24, 32: the same change told twice is one, another change of the key is another."""
    again = [*events_of(told(record())), *events_of(enveloped(told(record())))]
    others = [
        record(sequencer="0055AED6DCD90281E6"),
        record(event="ObjectRemoved:Delete"),
        record("b"),
        record(versionId="v"),
    ]

    assert len({identity(each) for each in again}) == 1
    assert len({identity(each) for each in (*again, *others)}) == 5


@pytest.mark.parametrize("sequencer", [None, "0", "0055AED6DCD90281E5"], ids=["none", "zero", "constant"])
@pytest.mark.parametrize(
    "changed",
    [
        {"eventTime": "2026-01-01T00:00:00.001Z"},
        {"responseElements": {"x-amz-request-id": "another"}},
        {"eTag": "another"},
    ],
    ids=["later", "another request", "other content"],
)
def test_src_24_32_two_changes_differ_where_sequencers_are_useless(
    sequencer: str | None, changed: dict[str, Any]
) -> None:
    """SRC-24, 32: some servers have none, or always the same: neither of two changes may be lost."""
    once, again = record(sequencer=sequencer), record(sequencer=sequencer)
    for name, value in changed.items():
        (again["s3"]["object"] if name == "eTag" else again)[name] = value

    assert identity(once) == identity(record(sequencer=sequencer))
    assert identity(once) != identity(again)


def test_src_24_32_no_two_changes_share_a_name_by_their_spelling() -> None:
    """Where one part ends and the next begins is told apart, whatever a stranger has put into them."""
    one, another = record("a\nObjectCreated:Put"), record("a")
    another["eventName"] = "ObjectCreated:Put\nObjectCreated:Put"

    assert identity(one) != identity(another)


@pytest.mark.parametrize("value", [None, 1, [], {}, [[["x"]]], True])
def test_src_20_members_of_a_wrong_type_name_nothing(value: Any) -> None:
    """A stranger's record is told apart by what of it is text, and no more is made of it."""
    odd = record(versionId=value, sequencer=value, eTag=value)
    odd |= {"eventTime": value, "responseElements": value}

    [read] = events_of(told(odd))
    assert identity(read) == identity(record(sequencer="", eTag="") | {"eventTime": "", "responseElements": None})


@pytest.mark.parametrize("source", ["minio:s3", "ceph:s3"])
def test_src_05_21_other_object_stores_are_taken_for_what_they_are(source: str) -> None:
    """SRC-05, 21: they post notifications as they are, `s3:` in front of the event's name."""
    theirs = {**record(event="s3:ObjectCreated:Put"), "eventSource": source}
    [read] = events_of(json.dumps({"EventName": "s3:ObjectCreated:Put", "Key": "photos/a", "Records": [theirs]}))

    assert matches(read, asking("s3:ObjectCreated:*"))


def test_src_20_what_can_be_read_and_not_written_is_refused() -> None:
    """SRC-20: nested deeper than is written, though it was read."""
    nested = record()
    text = told(nested).replace('"AWS:AIDA"', "[" * 300 + "]" * 300)

    with pytest.raises(ValueError, match="nested too deeply"):
        lambda_event(events_of(text))


def test_src_23_a_deletion_has_neither_size_nor_tag() -> None:
    """SRC-23: it is passed on as it is."""
    deleted = record(event="ObjectRemoved:Delete")
    del deleted["s3"]["object"]["size"], deleted["s3"]["object"]["eTag"]

    assert json.loads(lambda_event(events_of(told(deleted)))) == {"Records": [deleted]}


def test_src_27_functions_and_fifo_topics_are_no_buckets() -> None:
    """SRC-27: what a user may name is a bucket; where it delivers to is a standard queue of ours."""
    with pytest.raises(InvalidParameterValue):
        S3Notification(bucket="arn:aws:s3:::", function_name="f")


_NAMES = [
    "Records",
    "s3",
    "bucket",
    "object",
    "key",
    "name",
    "eventName",
    "eventSource",
    "Type",
    "Message",
    "sequencer",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["aws:s3", "Notification"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), children),
    max_leaves=8,
)


def read_whole(text: str | bytes) -> None:
    """All that is done with what arrives."""
    for each in events_of(text):
        identity(each)
        matches(each, asking("s3:ObjectCreated:*", prefix="a"))
        lambda_event([each])


@given(document=_JSON)
def test_src_20_29_30_whatever_arrives_is_read_or_refused(document: Any) -> None:
    """Nothing but ValueError, whoever has written it."""
    for text in (json.dumps(document), enveloped(json.dumps(document))):
        try:
            read_whole(text)
        except ValueError:
            pass


@given(
    path=st.sampled_from(
        [
            ("eventName",),
            ("eventSource",),
            ("eventTime",),
            ("responseElements",),
            ("responseElements", "x-amz-request-id"),
            ("s3",),
            ("s3", "bucket"),
            ("s3", "bucket", "name"),
            ("s3", "object"),
            ("s3", "object", "key"),
            ("s3", "object", "versionId"),
            ("s3", "object", "sequencer"),
        ]
    ),
    value=_JSON,
)
def test_src_20_a_record_with_anything_in_any_place_is_read_or_refused(path: tuple[str, ...], value: Any) -> None:
    """Of the right shape but for one member."""
    forged = record()
    place = forged
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value

    try:
        read_whole(told(forged))
    except ValueError:
        pass


@given(text=st.text() | st.binary())
def test_src_20_30_bytes_that_are_anything_are_read_or_refused(text: str | bytes) -> None:
    """Surrogates, broken UTF-8, unfinished JSON."""
    with pytest.raises(ValueError, match="no notification"):
        read_whole(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"Records": "\\ud800"}',
        '{"Records": "\ud800"}',
        b'{"Records": "\xff"}',
        '{"Records": [1e999]}',
        '{"Records": [NaN]}',
        '{"a":' * 100_000,
        '{"Records": [' + "[" * 900 + "]" * 900 + "]}",
    ],
)
def test_src_20_30_hostile_json_is_refused(text: str | bytes) -> None:
    """Half characters, numbers beyond all bounds, nesting."""
    with pytest.raises(ValueError, match="no notification"):
        events_of(text)


def test_src_20_of_a_key_that_is_there_twice_one_value_is_judged_and_passed_on() -> None:
    """What the function gets is what was looked at."""
    text = told(record("in/a")).replace('"key": "in/a"', '"key": "in/a", "key": "out/a"')

    [read] = events_of(text)

    assert not matches(read, asking("s3:ObjectCreated:*", prefix="in/"))
    assert json.loads(lambda_event([read]))["Records"][0]["s3"]["object"]["key"] == "out/a"


@given(key=st.text(st.characters(exclude_categories=["Cs"])))
def test_src_22_every_key_survives_its_encoding(key: str) -> None:
    """SRC-22: a form's encoding and back."""
    assert decoded_key(quote_plus(key, safe="/")) == key


@given(
    pairs=st.tuples(
        st.tuples(st.text("ab", max_size=3), st.text("ab", max_size=3)),
        st.tuples(st.text("ab", max_size=3), st.text("ab", max_size=3)),
    ),
    key=st.text("ab", max_size=8),
)
def test_src_26_what_two_entries_both_tell_of_overlaps(pairs: tuple[tuple[str, str], ...], key: str) -> None:
    """SRC-26: the law behind the refusal, for every key there is."""
    first, second = (asking("s3:ObjectCreated:*", prefix=prefix, suffix=suffix) for prefix, suffix in pairs)

    if matches(record(key), first) and matches(record(key), second):
        assert overlap(first, second.events, second.prefix, second.suffix)
        assert overlap(second, first.events, first.prefix, first.suffix)
