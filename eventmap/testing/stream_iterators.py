"""Shard iterators: all they know is in their text, so none has to be remembered."""

from __future__ import annotations

from typing import NamedTuple

from eventmap.errors import IteratorExpired, SourceError


class ShardIterator(NamedTuple):
    """A place in a shard, good for a while."""

    stream: int  #: the service's own number of the stream
    shard_id: str
    place: int
    reader: int  #: one for each GetShardIterator; handed on from iterator to iterator
    issued_s: float  #: seconds on the service's clock

    def text(self) -> str:
        return f"{self.stream}/{self.shard_id}/{self.place}/{self.reader}/{self.issued_s!r}"


def read_iterator(text: str, stream: int, now_s: float, lifetime_s: float, malformed: str) -> ShardIterator:
    """Raises: SourceError with the code `malformed` for what is no iterator of this stream; IteratorExpired."""
    try:
        number, shard_id, place, reader, issued = text.split("/")
        iterator = ShardIterator(int(number), shard_id, int(place), int(reader), float(issued))
    except ValueError:
        raise SourceError("this is not a shard iterator", code=malformed) from None
    if iterator.stream != stream:
        raise SourceError("the shard iterator is of another stream", code=malformed)
    if now_s - iterator.issued_s >= lifetime_s:
        raise IteratorExpired(
            f"the shard iterator is older than {lifetime_s:g} s: ask for a new one", code="ExpiredIteratorException"
        )
    return iterator
