"""The AWS client library's own clients, for the rare calls: what they raise becomes ours here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio

from eventmap.aws.refusal import Call, classified
from eventmap.aws.services import Service
from eventmap.errors import AccessRefused, SourceError, TransientSourceError

_DEADLINE_S: Final = 10.0  # of one call
# HeadBucket answers without a body, so without a code.
_CODES_OF_HEAD: Final = {"403": "AccessDenied", "404": "NoSuchBucket"}


@contextmanager
def translated(service: Service, operation: str, subject: str, client: Any) -> Iterator[Call]:
    """One call of `client` about `subject`, within ten seconds. Raises: SourceError and its kinds."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    call = Call(service, operation, subject, str(client.meta.endpoint_url), str(client.meta.region_name))
    try:
        # The library's own timeouts do not cover a server that never says to go on with an object's content.
        with anyio.fail_after(_DEADLINE_S):
            yield call
    except exceptions.ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        message = " ".join(str(said.get("Message", "")).split())[:300]
        raise classified(call, status, _CODES_OF_HEAD.get(code, code), message) from error
    except TimeoutError as error:
        raise _unanswered(call, f"nothing within {_DEADLINE_S:.0f} s", "Timeout") from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise _unanswered(call, str(error), "ConnectionLost") from error
    except (ResponseParserError, LookupError) as error:  # its parser looks for members without asking for them
        raise _unanswered(call, f"nothing readable: {error!r}", "UnreadableAnswer") from error
    except (exceptions.NoCredentialsError, exceptions.CredentialRetrievalError) as error:
        raise AccessRefused(f"AWS credentials cannot be used: {error}", code=type(error).__name__) from error
    except exceptions.BotoCoreError as error:
        raise SourceError(f"{operation} of {call.about} was not sent: {error}", code=type(error).__name__) from error


def _unanswered(call: Call, what: str, code: str) -> TransientSourceError:
    return TransientSourceError(f"{call.operation} of {call.about} at {call.endpoint} got no answer: {what}", code=code)
