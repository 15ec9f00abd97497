"""The gateway in front of functions, over ASGI and over sockets."""
