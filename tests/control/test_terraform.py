"""Terraform itself, with its own provider, manages mappings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.scene import REGION

from .scene import LAMBDA, QUEUE, STREAM, served
from .terraform import Terraform

RESOURCES = f"""
variable "enabled" {{
  default = true
}}
variable "batch_size" {{
  default = 20
}}
resource "aws_lambda_event_source_mapping" "jobs" {{
  event_source_arn                   = "{QUEUE}"
  function_name                      = "pay"
  enabled                            = var.enabled
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = 5
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = {{ team = var.enabled ? "a" : "b" }}
  dynamic "scaling_config" {{
    for_each = var.enabled ? [10] : []
    content {{
      maximum_concurrency = scaling_config.value
    }}
  }}
  filter_criteria {{
    filter {{
      pattern = jsonencode({{ body = {{ a = [1] }} }})
    }}
  }}
  metrics_config {{
    metrics = ["EventCount"]
  }}
}}
resource "aws_lambda_event_source_mapping" "clicks" {{
  event_source_arn               = "{STREAM}"
  function_name                  = "{LAMBDA}:function:pay"
  starting_position              = "TRIM_HORIZON"
  parallelization_factor         = 2
  maximum_retry_attempts         = 3
  bisect_batch_on_function_error = true
  destination_config {{
    on_failure {{
      destination_arn = "{QUEUE}-failed"
    }}
  }}
}}
"""


@pytest.mark.server
@pytest.mark.timeout(600)
async def test_terraform_creates_changes_and_destroys_mappings(tmp_path: Path) -> None:
    """After each step it finds what it asked for, and nothing to change."""
    async with served(within_s=580) as there:
        terraform = Terraform(tmp_path, there.scene.url, REGION, RESOURCES)
        await terraform.init()
        await terraform.apply()
        assert sorted(each.batch_size for each in there.pollers.polling.values()) == [20, 100]

        await terraform.apply(enabled="false", batch_size=30)
        [clicks] = there.pollers.polling.values()
        assert clicks.event_source_arn == STREAM

        await terraform.destroy()
        assert there.pollers.polling == {}
        assert there.mappings.list({}) == {"EventSourceMappings": []}
