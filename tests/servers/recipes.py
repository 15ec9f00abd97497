"""How each independent server is started: what must be installed, its command, its environment, its account."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
REGION: Final = "us-east-1"
INSTALLED: Final = Path(os.environ.get("EVENTMAP_SERVERS") or REPOSITORY / ".servers")

ELASTICMQ_CONFIGURATION: Final = """
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {port}, sqs-limits = strict }}
rest-stats {{ enabled = false }}
generate-node-address = false
aws {{ region = "us-east-1", accountId = "000000000000" }}
queues {{ }}
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One server we did not write."""

    name: str
    account_id: str
    missing: Callable[[], str | None]  #: what is not installed and how to get it; None = ready to start
    command: Callable[[int, Path], list[str]]  #: from a port and an empty folder of its own
    environment: Callable[[int, Path], Mapping[str, str]] = field(default=lambda port, folder: {})
    question: tuple[str, str] = ("sqs", "list_queues")  #: a service of it, and what that answers once it is up
    question_parameters: Mapping[str, object] = field(default_factory=dict)  #: those the question must have


def _python_package(module: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        return None if importlib.util.find_spec(module) else f"{module} is not installed: pip install -e '.[test]'"

    return missing


def _installed_by_script(program: str, path: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        if shutil.which(program) is None:
            return f"{program} is not on the PATH"
        if not (INSTALLED / path).exists():
            return f"{INSTALLED / path} does not exist: run tests/servers/install.sh"
        return None

    return missing


def _ministack_environment(port: int, folder: Path) -> Mapping[str, str]:
    return {
        "BIND_HOST": "127.0.0.1",  # its default is every interface, and so is that of the two services switched off
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "TMPDIR": str(folder),
    }


def _node() -> str:
    """The one installed beside fauxqs where the machine's own is too old."""
    beside = INSTALLED / "fauxqs/node_modules/.bin/node"
    return str(beside) if beside.exists() else "node"


def _elasticmq_command(port: int, folder: Path) -> list[str]:
    configuration = folder / "elasticmq.conf"
    configuration.write_text(ELASTICMQ_CONFIGURATION.format(port=port))
    java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dconfig.file={configuration}"]
    return [*java, "-cp", f"{INSTALLED / 'elasticmq/lib'}/*", "org.elasticmq.server.Main"]


def cognito_local(lambda_url: str, triggers: Mapping[str, str]) -> Recipe:
    """User pools whose triggers are functions of the Lambda at `lambda_url`: the names of both, by trigger."""

    def command(port: int, folder: Path) -> list[str]:
        keys = {"accessKeyId": "test", "secretAccessKey": "test"}
        configuration = {
            "LambdaClient": {"endpoint": lambda_url, "region": REGION, "credentials": keys},
            "ServerConfig": {"hostname": "127.0.0.1", "port": port},
            "TriggerFunctions": dict(triggers),
        }
        (folder / ".cognito").mkdir()
        (folder / ".cognito/config.json").write_text(json.dumps(configuration))
        return [_node(), str(INSTALLED / "cognito-local/node_modules/cognito-local/lib/bin/start.js")]

    return Recipe(
        name="cognito-local",
        account_id="local",
        missing=_installed_by_script("node", "cognito-local/node_modules/cognito-local"),
        command=command,
        environment=lambda port, folder: {"CODE": "1234"},  # the one it sends to everybody
        question=("cognito-idp", "list_user_pools"),
        question_parameters={"MaxResults": 1},
    )


RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="moto",
            account_id="123456789012",
            missing=_python_package("moto"),
            command=lambda port, folder: [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        ),
        Recipe(
            name="ministack",
            account_id="000000000000",
            missing=_python_package("ministack"),
            command=lambda port, folder: [sys.executable, "-m", "ministack"],
            environment=_ministack_environment,
        ),
        Recipe(
            name="fauxqs",
            account_id="000000000000",
            missing=_installed_by_script("node", "fauxqs/node_modules/fauxqs"),
            command=lambda port, folder: [_node(), str(INSTALLED / "fauxqs/serve.js"), str(port)],
        ),
        Recipe(
            name="elasticmq",
            account_id="000000000000",
            missing=_installed_by_script("java", "elasticmq/lib"),
            command=_elasticmq_command,
        ),
        Recipe(
            name="kinesalite",
            account_id="000000000000",
            missing=_installed_by_script("node", "kinesalite/node_modules/kinesalite"),
            command=lambda port, folder: [_node(), str(INSTALLED / "kinesalite/serve.js"), str(port)],
            question=("kinesis", "list_streams"),
        ),
    )
}

SQS_SERVERS: Final = tuple(name for name, recipe in RECIPES.items() if recipe.question[0] == "sqs")
