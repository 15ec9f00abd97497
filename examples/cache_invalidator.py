"""A cache inside a service that is never stale for long: whatever changes in the table leaves the cache.

The stream need carry no more than the keys (view type KEYS_ONLY). A new item makes no cached one stale, so a filter
keeps inserts away. The handler runs in the service's own process, and every process has a cache of its own: each reads
the whole stream, so its leases are shared with nobody.
"""

from eventmap import App

app = App()
CACHE: dict[str, object] = {}


def product(product_id, load):
    """The cached product; `load(product_id)` reads it where it is not cached."""
    if product_id not in CACHE:
        CACHE[product_id] = load(product_id)
    return CACHE[product_id]


@app.dynamodb(
    "products",
    starting_position="LATEST",  # what changed before we began to cache is no news
    filter_criteria={"Filters": [{"Pattern": {"eventName": ["MODIFY", "REMOVE"]}}]},
)
async def invalidate(event, context):
    """Forget what has changed."""
    for record in event["Records"]:
        CACHE.pop(record["dynamodb"]["Keys"]["id"]["S"], None)


def fresh(**settings):
    """The cache kept fresh for as long as a block of the service: `async with fresh(): …`."""
    return app.running(leases="memory", **settings)
