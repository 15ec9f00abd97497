"""The queue behind asynchronous invocations: durable first, then retries, age and destinations (INV-40..67)."""
