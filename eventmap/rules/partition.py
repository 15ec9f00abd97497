"""Which part of AWS a region belongs to."""

from __future__ import annotations

from typing import Final

_PARTITIONS: Final = {
    "cn": "aws-cn",
    "us-gov": "aws-us-gov",
    "us-iso": "aws-iso",
    "us-isob": "aws-iso-b",
    "eu-isoe": "aws-iso-e",
    "us-isof": "aws-iso-f",
    "eusc-de": "aws-eusc",
}


def partition(region: str) -> str:
    """The partition as ARNs spell it: `aws` for whatever is not known to be in another one."""
    area, _, _ = region.rpartition("-")  # without its number, then without its direction
    return _PARTITIONS.get(area.rpartition("-")[0], "aws")
