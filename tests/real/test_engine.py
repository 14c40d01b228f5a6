"""A Temporal that is not set up, and one that is not there."""

from __future__ import annotations

import pytest

from demo.run import request_json
from engine import requests
from engine.client import connect
from engine.server import EmbeddedServer, Ports, local_server
from erasure import request as request_file
from erasure.sentence import BadInput


async def test_a_server_without_our_search_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to do, and nothing was started."""
    server = EmbeddedServer((), None, Ports.free())
    await server.start()
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    client = await connect()
    with pytest.raises(BadInput, match="does not know this program's search attributes"):
        await requests.submit(client, request_file.parse(request_json()))
    assert (await client.count_workflows()).count == 0
    server.stop()


async def test_a_taken_port_is_one_sentence() -> None:
    """The dev server's own complaint goes nowhere; ours names the ports."""
    first = EmbeddedServer((), None, Ports.free())
    await first.start()
    second = EmbeddedServer((), None, Ports(grpc=Ports.free().grpc, ui=first.ports.grpc))
    with pytest.raises(BadInput, match="did not start; is port"):
        await second.start()
    first.stop()


async def test_a_server_that_listens_already_is_used(tmp_path) -> None:  # noqa: ANN001
    """A second worker on the machine does not start a second server."""
    ports = Ports.free()
    async with (
        local_server(tmp_path / "t.db", wanted=True, ports=ports) as ui,
        local_server(tmp_path / "t.db", wanted=True, ports=ports) as again,
    ):
        assert (ui, again) == (f"http://127.0.0.1:{ports.ui}", "")


async def test_profiles_of_the_sdk_are_honoured(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    """A profile file names address and namespace, as for every Temporal program."""
    server = EmbeddedServer((), None, Ports.free())
    await server.start()
    profile = tmp_path / "temporal.toml"
    profile.write_text(f'[profile.prod]\naddress = "{server.address}"\nnamespace = "default"\n')
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    monkeypatch.setenv("TEMPORAL_PROFILE", "prod")
    assert (await connect()).namespace == "default"
    server.stop()
