"""What runs in the emulator's process; started by path, so it imports nothing of eventmap.

It chooses its own port, which nobody can take in between, prints the endpoint URL when it serves, and ends when its
standard input does: that happens however its owner ends, kill -9 included.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from typing import Any

# What a handler may want beside its queue. Left out is all that runs code, starts containers or listens on more ports.
SERVICES = "sqs,sns,s3,dynamodb,dynamodbstreams,kinesis,events,kms,secretsmanager,ssm,sts"


def main() -> None:
    announcement = os.dup(1)
    os.dup2(2, 1)  # whatever the emulator prints belongs to the log
    scratch = tempfile.mkdtemp(prefix="eventmap-local-")
    threading.Thread(target=end_with_standard_input, args=(scratch,), daemon=True).start()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)  # from here on a connection waits for the server instead of being refused
    port = listener.getsockname()[1]
    configure(port, scratch)
    try:
        serve(listener, f"http://127.0.0.1:{port}\n", announcement)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def end_with_standard_input(scratch: str) -> None:
    """Nothing is worth an orderly shutdown here, and a long poll must not delay the end."""
    while os.read(0, 4096):
        pass
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)


def configure(port: int, scratch: str) -> None:
    """ministack reads its settings from the environment when it is imported."""
    os.environ.update(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        SERVICES=SERVICES,
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL="WARNING",
        S3_DATA_DIR=scratch,
        STATE_DIR=scratch,
        TMPDIR=scratch,
        # At its start ministack removes containers that another ministack has left; the user's own are not ours.
        DOCKER_HOST=f"unix://{scratch}/no-docker",
    )
    tempfile.tempdir = scratch


def serve(listener: socket.socket, announced: str, announcement: int) -> None:
    import asyncio
    import importlib

    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75
    app = importlib.import_module("ministack.app").app
    asyncio.run(hypercorn_serve(announcing(app, announced, announcement), config))


def announcing(app: Any, announced: str, announcement: int) -> Any:
    """The ASGI application `app`, which writes its address once the server has started it."""

    async def announcing_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def send_and_announce(message: dict[str, Any]) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                os.write(announcement, announced.encode())
                os.close(announcement)

        await app(scope, receive, send_and_announce)

    return announcing_app


if __name__ == "__main__":
    main()
