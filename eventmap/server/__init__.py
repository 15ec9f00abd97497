"""One ASGI app: the Lambda-compatible API and the routes of the receivers."""
