"""Events of a Cognito user pool's triggers, as a function gets them (SRC-110..125)."""

from __future__ import annotations

from eventmap.model import JsonObject
from eventmap.rules.cognito import sample
from eventmap.testing.origin import HERE, Origin


def cognito(
    trigger_source: str = "PreSignUp_SignUp",
    *,
    version: str | None = None,
    user_name: str = "ada",
    client_id: str | None = None,
    user_attributes: JsonObject | None = None,
    request: JsonObject | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """What a user pool asks a trigger, `response` still to be filled in.

    `version` is that of PreTokenGeneration's event: "1", or "2" or "3", which have scopes; None = the first there is.
    `user_attributes` replace the sample's, members of `request` join or replace its own. Of `origin` only the region
    shows: such an event has no time, no account and no identifier of its own.
    Raises: InvalidParameterValue for a trigger source or version that there is not, and for attributes where there is
    no user.
    """
    return sample(
        trigger_source,
        version=version,
        region=origin.region,
        user_name=user_name,
        client_id=client_id,
        user_attributes=user_attributes,
        request=request,
    )
