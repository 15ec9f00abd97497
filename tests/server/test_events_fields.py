"""No silent parameter: every member botocore knows of an operation we serve has its fate."""

from __future__ import annotations

from eventmap.rules.bus.requests import REQUESTS

from .fields_events import FIELDS
from .service_model import check_table


def test_every_member_of_every_operation_served_is_accounted_for() -> None:
    """A member that a newer botocore adds is told here first."""
    assert check_table("events", FIELDS) == []


def test_the_table_has_the_operations_that_are_served() -> None:
    """All of them, and no other."""
    assert FIELDS.keys() == REQUESTS.keys()
