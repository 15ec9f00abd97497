"""Handlers a child process runs for the tests: well-behaved ones, and all the others."""

import asyncio
import collections
import ctypes
import decimal
import functools
import logging
import os
import signal
import subprocess
import sys
import threading

calls = 0
pause = threading.Event().wait
Point = collections.namedtuple("Point", "x y")


class Orders:
    class Nested:
        @staticmethod
        def handler(event, context):
            return "nested"


def echo(event, context):
    return event


hidden = functools.wraps(echo)(lambda event, context: echo(event, context))


def count(event, context):
    global calls
    calls += 1
    return [calls, os.getpid()]


async def wait_and_echo(event, context):
    await asyncio.get_running_loop().run_in_executor(None, int)
    return [event, id(asyncio.get_running_loop())]


def describe(event, context):
    sent = context.client_context
    return {
        "repr": repr(context),
        "remaining": context.get_remaining_time_in_millis(),
        "memory": context.memory_limit_in_mb,
        "arn": context.invoked_function_arn,
        "stream": context.log_stream_name,
        "custom": sent and sent.custom,
        "title": sent and sent.client and sent.client.app_title,
        "w3c": context.w3c(),
    }


def variables(event, context):
    return dict(os.environ)


def modules(event, context):
    return sorted(sys.modules)


def fail(event, context):
    raise ValueError("boom é")


def chatty(event, context):
    print("printed")
    print("to stderr", file=sys.stderr)
    os.write(1, b"from C\n")
    subprocess.run(["echo", "grandchild"], check=True)
    logging.getLogger("app").warning("warned %d", 7)
    logging.getLogger("app").info("not shown")
    context.log("logged\n")
    print("no newline", end="")


def big_line(event, context):
    sys.stdout.write("é" * (event["size"] // 2) + "\n")
    return "done"


def print_for_ever(event, context):
    while True:
        print("again")


def leave_printer(event, context):
    subprocess.Popen(["sh", "-c", "while :; do echo again; done"])
    return "done"


def leave_holder_elsewhere(event, context):
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    return child.pid


def leave_fork(event, context):
    pid = os.fork()
    if pid == 0:
        pause(60)
        os._exit(0)
    if event.get("then") == "exit":
        os._exit(5)
    return pid


def return_twice(event, context):
    return "parent" if os.fork() else "child"


def leave(event, context):
    os._exit(event["status"])


def system_exit(event, context):
    sys.exit(event["status"])


def segfault(event, context):
    ctypes.string_at(0)


def kill_itself(event, context):
    os.kill(os.getpid(), signal.SIGTERM)
    pause(30)


def spin(event, context):
    print("spinning", flush=True)
    if event.get("for_ever"):
        while True:
            pass
    return os.getpid()


def take_memory(event, context):
    taken = bytearray(event["mb"] * 2**20)
    pause(event["s"])
    return len(taken)


def close_output(event, context):
    os.close(1)
    os.close(2)
    return "done"


def close_everything(event, context):
    os.closerange(3, 100)
    return "unheard"


def unserialisable(event, context):
    return {"set": {1}}


def not_a_number(event, context):
    return float("nan")


def numbers(event, context):
    return {"price": decimal.Decimal("1.10"), "at": Point(1, [Point(2, 3)])}


def of_size(event, context):
    return "x" * (event["size"] - 2)


def huge_error(event, context):
    raise ValueError("x" * 7_000_000)


def ignore_termination(event, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return os.getpid()
