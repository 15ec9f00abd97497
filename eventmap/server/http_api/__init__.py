"""The gateway in front of functions: HTTP API, REST API, function URL and load balancer in one ASGI app."""
