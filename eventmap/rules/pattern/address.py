"""IP addresses and CIDR blocks (FIL-61)."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from eventmap.errors import InvalidPattern
from eventmap.rules.pattern.alternatives import Cidr

_IPV4: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){3}")
_IPV6: Final = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")
_MASK: Final = re.compile(r"[+-]?[0-9]{1,10}")


def address_of(text: str) -> tuple[int, int] | None:
    """(bits, address): 32 for IPv4, also when mapped into IPv6, and 128 for IPv6. None when it is no address.

    No zone, no brackets, no dotted tail of an IPv6 address; an IPv4 octet may have leading zeros and stays decimal.
    """
    if _IPV4.fullmatch(text):
        octets = [int(octet) for octet in text.split(".")]
        return (32, int.from_bytes(bytes(octets))) if max(octets) < 256 else None
    if not _IPV6.fullmatch(text):
        return None
    groups = [group.lstrip("0") or "0" if group else "" for group in text.split(":")]  # zeros may lead in any number
    try:
        address = IPv6Address(":".join(groups))
    except AddressValueError:
        return None
    mapped = address.ipv4_mapped
    return (128, int(address)) if mapped is None else (32, int(mapped))


def read_cidr(text: str, field: str) -> Cidr:
    """Raises: InvalidPattern with event-ruler's reasons; a block of one address (/32, /128) is refused, as there."""
    base, *masks = text.rstrip("/").split("/")
    if len(masks) != 1:
        raise InvalidPattern("Malformed CIDR, one '/' required", field)
    if not _MASK.fullmatch(masks[0]):
        raise InvalidPattern("Malformed CIDR, mask bits must be an integer", field)
    mask = int(masks[0])
    if mask < 0:
        raise InvalidPattern("Malformed CIDR, mask bits must not be negative", field)
    found = address_of(base)
    if found is None:
        raise InvalidPattern(f"Nonstandard IP address: {base}", field)
    bits, address = found
    if mask >= bits:
        raise InvalidPattern(f"IPv{4 if bits == 32 else 6} mask bits must be < {bits}", field)
    lowest = address >> (bits - mask) << (bits - mask)
    return Cidr(text, bits, lowest, lowest | (1 << (bits - mask)) - 1)
