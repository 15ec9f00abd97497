"""Streams: one loop for each shard, strictly in turn, under a lease."""
