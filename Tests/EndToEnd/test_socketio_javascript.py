"""The public JavaScript client of Socket.IO, in Chromium, through the robot control service's whole cycle over each transport."""
from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from control import ControlServer, archive, encoded

#: A Python package that carries the client; nothing else of it is used.
CLIENT = Path(find_spec("nicegui").origin).parent / "static/socket.io.min.js"

CYCLE = """async ([url, transports, zip]) => {
  const connect = () => new Promise((resolve, reject) => {
    const socket = io(url, { transports, reconnection: false, forceNew: true });
    socket.on("connected", ({ message }) => resolve([socket, message]));
    socket.on("connect_error", ({ message }) => reject(message));
  });
  const [socket, welcome] = await connect();
  const ask = (socket, event, data) => socket.timeout(60000).emitWithAck(event, data);
  const call = async (socket, object, method, args) => (await ask(socket, "process", { params: { object, method, args } })).data.result;
  const second = await connect().catch((message) => message);
  const started = (await ask(socket, "start", {})).message;
  const updated = (await ask(socket, "update", { data: Uint8Array.from(atob(zip), (character) => character.charCodeAt(0)) })).message;
  const push = new Promise((resolve) => socket.on("recognition_result", resolve));
  await call(socket, "sport_client", "push", { word: "hi" });
  const pushed = (await push).word;
  const first = await call(socket, "counter", "add", {});
  const transport = socket.io.engine.transport.name;
  socket.disconnect();
  // The server may have to notice first.
  let again;
  while (!again) [again] = await connect().catch(() => new Promise((resolve) => setTimeout(() => resolve([]), 20)));
  const kept = await call(again, "counter", "add", {});
  again.disconnect();
  return { welcome, second, started, updated, pushed, first, transport, kept };
}"""


@pytest.fixture(scope="module")
def service():
    with ControlServer().with_project() as server:
        server.wait_for_state("ready")
        yield server


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]], ids=["polling", "websocket", "upgrade"])
def test_the_javascript_client_runs_the_whole_cycle(browser, service, transports):
    page = browser.new_page()
    page.goto(f"{service.url}/healthz")
    page.add_script_tag(path=CLIENT)
    assert page.evaluate(CYCLE, [service.url, transports, encoded(archive())]) == {
        "welcome": "Connected successfully", "second": "Connection rejected by server", "started": "Python project started successfully",
        "updated": "Project extracted successfully. Worker will restart to clear module cache.", "pushed": "hi", "first": 1,
        "transport": transports[-1], "kept": 2}
