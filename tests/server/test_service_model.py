"""The walker finds what a table forgets."""

from __future__ import annotations

from .service_model import check_table, members_of


def test_members_are_the_leaves_of_an_operation() -> None:
    """Lists as [], maps of plain values as one; an operation without input has none."""
    create = members_of("lambda", "CreateEventSourceMapping")

    assert {"FunctionName", "Tags", "Topics[]", "FilterCriteria.Filters[].Pattern"} <= create
    assert "SelfManagedEventSource.Endpoints{}[]" in create
    assert "FilterCriteria" not in create
    assert members_of("lambda", "GetAccountSettings") == set()
    assert "ScanFilter{}.AttributeValueList[].L[]" in members_of("dynamodb", "Scan")  # contains itself, and ends


def test_a_table_that_is_complete_has_no_problems() -> None:
    """A refusal as a whole stands for what is within it."""
    table = {
        "UntagResource": {"Resource": "honoured: test_members_are_the_leaves_of_an_operation", "TagKeys": "refused: x"}
    }

    assert check_table("lambda", table) == []


def test_what_a_table_forgets_or_makes_up_is_told() -> None:
    """A member, a test, a fate, an operation."""
    table = {
        "UntagResource": {"Resource": "honoured: test_that_is_not", "TagKey": "refused: x"},
        "GetEventSourceMapping": {"UUID": "done"},
        "ListMappings": {},
    }

    assert check_table("lambda", table) == [
        "UntagResource.TagKeys[] is in botocore's model, and the table does not say what becomes of it",
        "UntagResource.Resource: there is no test test_that_is_not",
        "GetEventSourceMapping.UUID: 'done' begins with none of honoured:, refused:, no effect:",
        "ListMappings is no operation of lambda",
    ]


def test_what_is_honoured_is_listed_leaf_by_leaf() -> None:
    """A new member of a structure that is honoured is not honoured by itself."""
    test = "honoured: test_members_are_the_leaves_of_an_operation"

    assert check_table("lambda", {"TagResource": {"Resource": test, "Tags": test}}) == []
    assert check_table("lambda", {"UntagResource": {"Resource": test, "TagKeys": test}}) == [
        "UntagResource.TagKeys[] is in botocore's model, and the table does not say what becomes of it"
    ]
