"""Where a server makes a scenario end otherwise than on AWS: one entry each, which must still be true."""

from __future__ import annotations

from typing import Final

from tests.servers.deviations import Deviation

_SWALLOWED: Final = Deviation(
    ([], False, 3), "a long poll whose connection is gone still takes messages: they come back by their visibility"
)

#: (place, test name without "test_") → deviation
DEVIATIONS: Final[dict[tuple[str, str], Deviation]] = {
    ("fauxqs", "sqs_144_what_never_ran_is_given_back_at_once"): _SWALLOWED,
    ("elasticmq", "sqs_144_what_never_ran_is_given_back_at_once"): _SWALLOWED,
    ("elasticmq", "sqs_113_sequence_numbers_have_twenty_digits"): Deviation(False, "counts from 1"),
}
