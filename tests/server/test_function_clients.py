"""The AWS CLI and Terraform, unpatched, manage functions over a real server."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.control.terraform import Terraform

from .function_scene import ARN, QUEUE, ROLE, FunctionScene, served, zipped
from .scene import REGION


async def aws(there: FunctionScene, *arguments: str) -> Any:
    """The answer the AWS CLI prints; standard error where it failed."""
    command = shutil.which("aws", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if command is None:
        pytest.skip("the AWS CLI is not installed")
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = await anyio.run_process(
        [command, "lambda", "--endpoint-url", there.url, *arguments], env=environment, check=False
    )
    return done.stderr.decode() if done.returncode else json.loads(done.stdout or b"null")


@pytest.mark.timeout(120)
async def test_the_aws_cli_manages_a_function(tmp_path: Path) -> None:
    """create-function --zip-file, wait, invoke, publish, alias, update, delete."""
    package, answer = tmp_path / "code.zip", tmp_path / "answer.json"
    package.write_bytes(zipped())
    async with served(tmp_path / "code", within_s=110) as there:
        created = await aws(
            there,
            *("create-function", "--function-name", "pay", "--runtime", "python3.13", "--role", ROLE),
            *("--handler", "app.handler", "--zip-file", f"fileb://{package}", "--timeout", "20"),
        )
        assert (created["FunctionArn"], created["State"]) == (ARN, "Active")
        await aws(there, "wait", "function-active-v2", "--function-name", "pay")
        await aws(there, "invoke", "--function-name", "pay", str(answer))
        assert json.loads(answer.read_bytes())["says"] == "one"

        assert (await aws(there, "publish-version", "--function-name", "pay"))["Version"] == "1"
        named = ("--function-name", "pay", "--name", "live")
        await aws(there, "create-alias", *named, "--function-version", "1")
        package.write_bytes(zipped("two"))
        await aws(there, "update-function-code", "--function-name", "pay", "--zip-file", f"fileb://{package}")
        await aws(there, "wait", "function-updated-v2", "--function-name", "pay")
        for qualifier, says in (("live", "one"), ("$LATEST", "two")):
            await aws(there, "invoke", "--function-name", "pay", "--qualifier", qualifier, str(answer))
            assert json.loads(answer.read_bytes())["says"] == says
        listed = await aws(there, "list-functions", "--function-version", "ALL")
        assert [each["Version"] for each in listed["Functions"]] == ["$LATEST", "1"]
        await aws(there, "delete-function", "--function-name", "pay")
        assert "ResourceNotFoundException" in await aws(there, "get-function", "--function-name", "pay")


RESOURCES = f"""
variable "package" {{
  default = "PACKAGE"
}}
variable "greeting" {{
  default = "hello"
}}
variable "reserved" {{
  default = -1
}}
resource "aws_lambda_function" "pay" {{
  function_name                  = "pay"
  role                           = "{ROLE}"
  handler                        = "app.handler"
  runtime                        = "python3.13"
  timeout                        = 20
  memory_size                    = 256
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  publish                        = true
  reserved_concurrent_executions = var.reserved
  tags                           = {{ team = var.greeting }}
  environment {{
    variables = {{ GREETING = var.greeting }}
  }}
  dead_letter_config {{
    target_arn = "{QUEUE}"
  }}
}}
resource "aws_lambda_alias" "live" {{
  name             = "live"
  function_name    = aws_lambda_function.pay.function_name
  function_version = aws_lambda_function.pay.version
}}
resource "aws_lambda_function_event_invoke_config" "live" {{
  function_name                = aws_lambda_function.pay.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = 1
  maximum_event_age_in_seconds = 60
  destination_config {{
    on_failure {{
      destination = "{QUEUE}"
    }}
  }}
}}
resource "aws_lambda_permission" "bucket" {{
  statement_id  = "bucket"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.pay.function_name
  principal     = "s3.amazonaws.com"
  source_arn    = "arn:aws:s3:::incoming"
}}
resource "aws_lambda_provisioned_concurrency_config" "live" {{
  function_name                     = aws_lambda_function.pay.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = 1
}}
data "aws_lambda_function" "pay" {{
  function_name = aws_lambda_function.pay.function_name
  qualifier     = aws_lambda_alias.live.name
}}
"""


@pytest.mark.server
@pytest.mark.timeout(600)
async def test_terraform_creates_changes_and_destroys_functions(tmp_path: Path) -> None:
    """After each step it finds what it asked for, and nothing to change; and what it asked for is what runs."""
    folder, package = tmp_path / "terraform", tmp_path / "code.zip"
    folder.mkdir()
    package.write_bytes(zipped())
    async with served(tmp_path / "code", within_s=580) as there:
        terraform = Terraform(folder, there.url, REGION, RESOURCES.replace("PACKAGE", str(package)))
        await terraform.init()
        await terraform.apply()
        said = await there.says("pay:live")
        assert (said["says"], said["greeting"], said["version"], said["memory"]) == ("one", "hello", "1", "256")

        package.write_bytes(zipped("two"))
        await terraform.apply(greeting="bye", reserved=5)
        said = await there.says("pay:live")
        assert (said["says"], said["greeting"], said["version"]) == ("two", "bye", "2")
        assert (await there.says("pay:1"))["says"] == "one"
        assert (await there.call("list_tags", Resource=ARN))["Tags"] == {"team": "bye"}

        await terraform.destroy()
        assert (await there.call("list_functions"))["Functions"] == []
