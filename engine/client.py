"""The one place where a Temporal client and its data converter are built."""

from __future__ import annotations

import os
from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError

from erasure.sentence import BadInput

DEFAULT_ADDRESS = "127.0.0.1:7233"
REQUESTS_QUEUE = "requests"
_SETTINGS = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")


def workflow_id(request_id: str) -> str:
    """Return the workflow id of a request; both are random, neither says anything about a person."""
    return f"dsr-{request_id}"


def data_converter() -> DataConverter:
    """Return the converter of every payload."""
    return pydantic_data_converter


def is_configured() -> bool:
    """Tell whether somebody said where Temporal is, in the SDK's own environment variables or profile file."""
    home = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    return any(map(os.environ.get, _SETTINGS)) or (home / "temporalio" / "temporal.toml").exists()


def quiet_runtime() -> Runtime:
    """Return a runtime that says only errors: the core writes to standard output, which may be a pipe nobody reads."""
    quiet = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=quiet)))


async def connect(runtime: Runtime | None = None) -> Client:
    """Connect as `temporalio.envconfig` says: address, namespace, TLS, API key, profile; else to this machine.

    Raises:
        BadInput: nothing answers there; the sentence says what to do.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", DEFAULT_ADDRESS)
    try:
        return await Client.connect(**config, data_converter=data_converter(), runtime=runtime)
    except (RPCError, RuntimeError):
        where = config["target_host"]
        raise BadInput(
            f"Temporal does not answer at {where}; start `erasure worker`, or set TEMPORAL_ADDRESS or TEMPORAL_PROFILE"
        ) from None
