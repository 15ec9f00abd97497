"""What CreateFunction and UpdateFunctionCode ask for, and the function that is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.function import LATEST
from eventmap.rules.function_api import reading
from eventmap.rules.function_api.changes import Occasion
from eventmap.rules.function_api.members import CONFIGURATION, DEFAULTS, read_members
from eventmap.rules.function_api.recorded import RecordedCode, RecordedFunction, RecordedVersion
from eventmap.rules.tags import read_tags

_ELSEWHERE: Final = ("S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri", "SourceKMSKeyArn")
_CREATE: Final = (*CONFIGURATION, "FunctionName", "Code", "Publish", "Tags", "CodeSigningConfigArn")
_UPDATE_CODE: Final = (
    *("ZipFile", "Architectures", "Publish", "DryRun", "RevisionId", "FunctionName"),
    *_ELSEWHERE,
)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A function to be made."""

    name: str  #: as the caller wrote it: a name or an ARN
    members: Mapping[str, Any]
    zip_file: str | None  #: base64; None = the code is in the folder that eventmap was started in
    publish: bool
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """Other code for a function."""

    zip_file: str | None  #: base64; None = it has none, and goes on with the folder that eventmap was started in
    publish: bool
    dry_run: bool


def read_create(body: Mapping[str, Any]) -> CreateRequest:
    """Raises: InvalidParameterValue, ConstraintViolated."""
    reading.known(body, _CREATE)
    if body.get("CodeSigningConfigArn"):
        raise InvalidParameterValue("CodeSigningConfigArn is not supported here: code is not signed")
    name = reading.required(reading.text(body, "FunctionName", longest=140), "FunctionName")
    members = {**DEFAULTS, **read_members(body, name.rpartition(":")[2])}
    for member in ("Role", "Handler", "Runtime"):
        reading.required(members.get(member), member)
    code = reading.structure(body, "Code", ("ZipFile", *_ELSEWHERE)) or {}
    return CreateRequest(
        name,
        members,
        _zip_file(code, str(members["Handler"])),
        reading.truth(body, "Publish"),
        read_tags(body.get("Tags")),
    )


def read_update_code(body: Mapping[str, Any]) -> CodeRequest:
    """Raises: InvalidParameterValue, ConstraintViolated."""
    reading.known(body, _UPDATE_CODE)
    zip_file = _zip_file(body, "")
    return CodeRequest(zip_file, reading.truth(body, "Publish"), reading.truth(body, "DryRun"))


def created(request: CreateRequest, code: RecordedCode, occasion: Occasion) -> RecordedFunction:
    """The function as it stands after CreateFunction, nothing of it published yet."""
    latest = RecordedVersion(
        version=LATEST,
        members=request.members,
        code=code,
        last_modified_s=occasion.now,
        revision_id=occasion.revision_id,
    )
    return RecordedFunction(name=request.name, latest=latest, tags=request.tags)


def _zip_file(code: Mapping[str, Any], handler: str) -> str | None:
    """`handler` "" = code must be given."""
    for member in _ELSEWHERE:
        if code.get(member):
            raise InvalidParameterValue(
                f"{member} is not supported here: code is given as ZipFile, or lies in the folder that eventmap was "
                "started in"
            )
    zip_file = reading.text(code, "ZipFile")
    if zip_file is None and ":" not in handler:
        raise InvalidParameterValue(
            "Please provide a source for function code. (Code in the folder that eventmap was started in needs none: "
            "leave Code empty, and name the Handler as module:attribute)"
        )
    return zip_file
