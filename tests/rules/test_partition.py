from __future__ import annotations

import pytest
from botocore.session import Session

from eventmap.rules.partition import partition


@pytest.mark.parametrize("name", Session().get_available_partitions())
def test_a_region_is_in_the_partition_the_client_library_says(name: str) -> None:
    """Every region the AWS client library knows of."""
    regions = Session().get_available_regions("sqs", partition_name=name)

    assert {partition(region) for region in regions} <= {name}


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
        ("elasticmq", "aws"),
        ("", "aws"),
    ],
)
def test_what_no_partition_claims_is_in_the_first(region: str, expected: str) -> None:
    """Emulators make up regions; they are AWS' own then."""
    assert partition(region) == expected
