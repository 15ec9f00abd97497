"""Terraform with HashiCorp's own provider, from a local mirror, against a server of ours."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import anyio
import pytest

PLUGINS = Path(os.environ.get("EVENTMAP_TERRAFORM_PLUGINS", "/opt/tf-plugins"))
PROVIDERS = sorted(PLUGINS.glob("*/hashicorp/aws"))
"""Of a mirror the first folder is named after where its providers come from."""


class Terraform:
    """A configuration in a folder of its own; `url` is where Lambda is. Skips the test where it is not installed."""

    def __init__(self, folder: Path, url: str, region: str, resources: str) -> None:
        if shutil.which("terraform") is None or not PROVIDERS:
            pytest.skip("terraform and its AWS provider are not installed")
        self._folder = folder
        [version, *_] = sorted(path.name for path in PROVIDERS[0].iterdir())
        (folder / "main.tf").write_text(
            f"""
terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = "{version}"
    }}
  }}
}}
provider "aws" {{
  region                      = "{region}"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  max_retries                 = 1
  endpoints {{
    lambda = "{url}"
  }}
}}
{resources}
"""
        )

    async def init(self) -> None:
        await self._run("init", f"-plugin-dir={PLUGINS}")

    async def apply(self, **variables: object) -> None:
        """Make it so; it must find nothing left to change afterwards."""
        given = [f"-var={name}={value}" for name, value in variables.items()]
        await self._run("apply", "-auto-approve", *given)
        await self._run("plan", "-detailed-exitcode", *given)

    async def destroy(self) -> None:
        await self._run("destroy", "-auto-approve")

    async def _run(self, command: str, *arguments: str) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "CHECKPOINT_DISABLE": "1"}
        done = await anyio.run_process(
            ["terraform", command, "-no-color", "-input=false", *arguments],
            cwd=self._folder,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
