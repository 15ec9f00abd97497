"""Where a server makes a scenario of streams end otherwise than on AWS: one entry each, which must still be true.

Seen on moto 5.2.5, ministack 1.4.21 and kinesalite 3.3.3.
"""

from __future__ import annotations

from typing import Final

from tests.servers.deviations import Deviation

_SAME_ITEM: Final = Deviation(["one", "one", "two"], "a write that changes nothing is a MODIFY record")

#: (place, test name without "test_") → deviation
STREAM_DEVIATIONS: Final[dict[tuple[str, str], Deviation]] = {
    ("moto", "str_132_a_write_that_changes_nothing_is_no_record"): _SAME_ITEM,
    ("ministack", "str_132_a_write_that_changes_nothing_is_no_record"): _SAME_ITEM,
    ("ministack", "str_21_151_158_split_and_merged_shards_keep_the_order_of_each_key"): Deviation(
        (False, False, []), "a parent is gone as soon as it is split or merged, with the records nobody had read"
    ),
    ("moto", "str_21_151_158_split_and_merged_shards_keep_the_order_of_each_key"): Deviation(
        (True, False, []), "a parent never ends: records go on into it, and its children stay empty"
    ),
}
