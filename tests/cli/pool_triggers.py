"""Triggers of a user pool that write down what they are told, in the file that SEEN names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from examples import sign_up_check

Event = dict[str, Any]


def _seen(event: Event) -> None:
    with Path(os.environ["SEEN"]).open("a") as file:
        file.write(json.dumps(event) + "\n")


def check(event: Event, context: object) -> Event:
    _seen(event)
    return sign_up_check.handler(event, context)


def watch(event: Event, context: object) -> Event:
    _seen(event)
    return event


def claims(event: Event, context: object) -> Event:
    _seen(event)
    event["response"]["claimsOverrideDetails"] = {
        "claimsToAddOrOverride": {"tenant": "seven"},
        "claimsToSuppress": ["email"],
    }
    return event


def migrate(event: Event, context: object) -> Event:
    _seen(event)
    if event["request"]["password"] != "correct horse":
        raise ValueError("who is that?")
    event["response"]["userAttributes"] = {"email": event["userName"], "email_verified": "true"}
    event["response"]["finalUserStatus"] = "CONFIRMED"
    event["response"]["messageAction"] = "SUPPRESS"
    return event


def message(event: Event, context: object) -> Event:
    _seen(event)
    event["response"]["emailSubject"] = "Welcome"
    event["response"]["emailMessage"] = f"Your code is {event['request']['codeParameter']}"
    return event


def forgetful(event: Event, context: object) -> None:
    event["response"]["autoConfirmUser"] = True
