from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eventmap.aws.endpoint import is_loopback
from eventmap.aws.session import LOCAL_CREDENTIALS, AwsSettings, open_client, open_dynamodb, open_kinesis, open_sqs
from eventmap.aws.signing import Credentials
from eventmap.errors import AccessRefused, ConfigurationError, CredentialsNotFound

from .hostile import HostileServer, hostile_server, http


@pytest.fixture(autouse=True)
def no_aws_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any AWS configuration; returns the path of its config file, which does not exist yet."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_KINESIS",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    # Nobody listens there: an instance role is looked for, and not found.
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9/")
    return tmp_path / "config"


def key_of(server: HostileServer) -> str:
    return server.requests[-1][0]["authorization"].split("Credential=")[1].split("/")[0]


async def used_key(settings: AwsSettings, server: HostileServer) -> str:
    async with open_sqs(settings) as wire:
        await wire.receive_message("q", max_number_of_messages=1, wait_time_seconds=0)
    return key_of(server)


async def test_no_credentials_for_a_real_endpoint_are_refused() -> None:
    """With nothing configured the error says what to do, before any call."""
    with pytest.raises(CredentialsNotFound, match="--local"):
        async with open_sqs(AwsSettings(region="eu-west-1")):
            pass


async def test_no_region_is_refused() -> None:
    """Without a region there is no endpoint, and the message names the option."""
    with pytest.raises(ConfigurationError, match="--region"):
        async with open_sqs(AwsSettings(credentials=LOCAL_CREDENTIALS)):
            pass


async def test_neither_region_nor_credentials_asks_for_credentials_first() -> None:
    """A machine without any AWS settings is told about --local, not about regions."""
    with pytest.raises(CredentialsNotFound, match="--local"):
        async with open_sqs(AwsSettings()):
            pass


async def test_a_loopback_endpoint_needs_neither_region_nor_credentials() -> None:
    """An emulator takes any keys, so some are made up; its region is the usual default."""
    async with hostile_server(http(200, b"{}")) as server:
        assert await used_key(AwsSettings(endpoint_url=server.endpoint_url), server) == LOCAL_CREDENTIALS.access_key

    assert "/us-east-1/sqs/" in server.requests[0][0]["authorization"]


async def test_found_credentials_are_used_for_a_loopback_endpoint_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user has set wins over what would be made up."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    async with hostile_server(http(200, b"{}")) as server:
        assert await used_key(AwsSettings(endpoint_url=server.endpoint_url), server) == "from-environment"


async def test_a_profile_gives_keys_region_and_endpoint(no_aws_configuration: Path) -> None:
    """Config files are read as the AWS client library reads them."""
    async with hostile_server(http(200, b"{}")) as server:
        no_aws_configuration.write_text(
            "[profile work]\nregion = eu-central-1\naws_access_key_id = from-profile\naws_secret_access_key = s\n"
            f"endpoint_url = {server.endpoint_url}\n"
        )

        assert await used_key(AwsSettings(profile="work"), server) == "from-profile"

    assert "/eu-central-1/sqs/" in server.requests[0][0]["authorization"]


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"])
async def test_the_endpoint_of_the_environment_is_honoured(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """AWS' own variables lead to the same server as --endpoint-url."""
    async with hostile_server(http(200, b"{}")) as server:
        monkeypatch.setenv(variable, server.endpoint_url)

        await used_key(AwsSettings(), server)

    assert len(server.requests) == 1


async def test_the_region_decides_the_endpoint() -> None:
    """Without an endpoint AWS' own is used, in the region's partition."""
    async with open_sqs(AwsSettings(region="cn-north-1", credentials=Credentials("a", "b"))) as wire:
        assert wire.endpoint_url == "https://sqs.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"])
async def test_kinesis_is_found_as_the_queues_are(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """The same variables, local credentials and default region."""
    async with hostile_server(http(200, b'{"Shards":[]}')) as server:
        monkeypatch.setenv(variable, server.endpoint_url)
        async with open_kinesis(AwsSettings()) as wire:
            await wire.list_shards("clicks")

    assert key_of(server) == LOCAL_CREDENTIALS.access_key
    assert "/us-east-1/kinesis/" in server.requests[0][0]["authorization"]


async def test_tables_and_their_streams_are_two_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has an endpoint of its own, as the AWS client library has it."""
    async with hostile_server(http(200, b'{"Table":{}}')) as tables, hostile_server(http(200, b"{}")) as streams:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", streams.endpoint_url)
        async with open_dynamodb(AwsSettings()) as wire:
            await wire.describe_table("orders")
            await wire.get_records("arn", "i", limit=1)

    assert [len(tables.requests), len(streams.requests)] == [1, 1]


async def test_made_up_credentials_stay_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables here and streams at AWS: that needs real credentials."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")

    with pytest.raises(CredentialsNotFound):
        async with open_dynamodb(AwsSettings(region="eu-west-1")):
            pass


async def test_one_endpoint_serves_every_service() -> None:
    """--endpoint-url is meant for all that is asked of AWS."""
    settings = AwsSettings(endpoint_url="http://127.0.0.1:4566")
    async with open_kinesis(settings) as kinesis, open_dynamodb(settings) as dynamodb:
        assert kinesis.endpoint_url == dynamodb.endpoint_url == dynamodb.tables.endpoint_url == "http://127.0.0.1:4566"


async def test_the_region_decides_the_endpoints_of_the_streams() -> None:
    """AWS' own, one of each service."""
    settings = AwsSettings(region="eu-west-1", credentials=Credentials("a", "b"))
    async with open_kinesis(settings) as kinesis, open_dynamodb(settings) as dynamodb:
        endpoints = [kinesis.endpoint_url, dynamodb.endpoint_url, dynamodb.tables.endpoint_url]

    assert endpoints == [
        "https://kinesis.eu-west-1.amazonaws.com",
        "https://streams.dynamodb.eu-west-1.amazonaws.com",
        "https://dynamodb.eu-west-1.amazonaws.com",
    ]


async def test_the_client_library_is_led_to_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rare calls go through it, with found keys, or made-up ones on this machine."""
    async with hostile_server(http(200, b"<R><ListTopicsResult/></R>")) as server:
        async with open_client(AwsSettings(endpoint_url=server.endpoint_url), "sns") as client:
            await client.list_topics()
        assert key_of(server) == LOCAL_CREDENTIALS.access_key

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        async with open_client(AwsSettings(endpoint_url=server.endpoint_url), "sns") as client:
            await client.list_topics()
        assert key_of(server) == "from-environment"


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
async def test_the_region_of_the_environment_is_honoured(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Containers are given AWS_REGION, shells mostly AWS_DEFAULT_REGION."""
    monkeypatch.setenv(variable, "eu-north-1")

    async with open_sqs(AwsSettings(credentials=Credentials("a", "b"))) as wire:
        assert wire.region == "eu-north-1"


async def test_an_unknown_profile_is_a_configuration_error() -> None:
    """The profile is named."""
    with pytest.raises(ConfigurationError, match="no-such-profile"):
        async with open_sqs(AwsSettings(region="eu-west-1", profile="no-such-profile")):
            pass


async def test_half_a_key_pair_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key without its secret is not silently passed over."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "half")

    with pytest.raises(AccessRefused, match="cannot be used"):
        async with open_sqs(AwsSettings(region="eu-west-1")):
            pass


async def test_keys_written_meanwhile_are_found_when_the_old_ones_expired(tmp_path: Path) -> None:
    """After ExpiredToken every provider is asked again: signing in again is enough, no restart is needed."""
    shared = tmp_path / "credentials"
    keys = "[default]\naws_access_key_id = {}\naws_secret_access_key = s\naws_session_token = t\n"
    shared.write_text(keys.format("first"))
    expired = http(403, b'{"__type":"com.amazonaws.sqs#ExpiredToken"}')
    async with hostile_server(expired, http(200, b"{}")) as server:
        settings = AwsSettings(endpoint_url=server.endpoint_url)
        async with open_sqs(settings) as wire:
            shared.write_text(keys.format("second"))
            await wire.receive_message("q", max_number_of_messages=1, wait_time_seconds=0)

    assert key_of(server) == "second"


@pytest.mark.parametrize(
    ("endpoint_url", "expected"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:9324", True),
        ("http://localhost", True),
        ("http://sqs.us-east-1.localhost:3000", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1:4566", False),
        ("https://sqs.eu-west-1.amazonaws.com", False),
        ("http://0.0.0.0:4566", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_is_loopback(endpoint_url: str, expected: bool) -> None:
    """Made-up keys are sent nowhere else."""
    assert is_loopback(endpoint_url) is expected


def test_the_client_library_is_not_imported_before_it_is_asked() -> None:
    """Importing the session costs neither botocore nor aiohttp."""
    code = (
        "import sys, eventmap.aws.session, eventmap.aws.arn, eventmap.local.emulator\n"
        "print(sorted({'botocore', 'aiobotocore', 'aioboto3', 'boto3', 'aiohttp'} & set(sys.modules)))"
    )

    root = Path(__file__).parents[2]
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout

    assert printed.strip() == "[]"
