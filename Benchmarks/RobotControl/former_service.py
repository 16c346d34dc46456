"""What the robot control service is compared with: python-socketio before, pyzmq's REQ and REP behind, a Python worker in a process of its own.

It does the call `process` as the former service did, one at a time, and is kinder than that: the event loop is not blocked by a call, the WebSocket
is the only transport, nothing is logged, and requests are not looked at twice. Run by `measure_calls.py`; alone: `former_service.py --project FOLDER`.
"""
from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def run_worker(endpoint: str, folder: str) -> None:
    """Answers one request after the other."""
    import zmq

    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location("main", os.path.join(folder, "main.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    socket = zmq.Context().socket(zmq.REP)
    socket.bind(endpoint)
    while True:
        params = socket.recv_json()
        try:
            method = getattr(getattr(module, params["object"]), params["method"])
            answer = {"status": "success", "result": method(**params.get("args", {}))}
        except Exception as problem:
            answer = {"status": "error", "message": str(problem)}
        socket.send_json(answer)


async def serve(folder: str) -> None:
    """Prints its port when it can be connected to."""
    import socketio
    import zmq
    import zmq.asyncio
    from aiohttp import web

    with tempfile.TemporaryDirectory(prefix="former-") as sockets:
        endpoint = f"ipc://{sockets}/commands.ipc"
        worker = subprocess.Popen([sys.executable, __file__, "--worker", endpoint, "--project", folder])
        try:
            commands = zmq.asyncio.Context().socket(zmq.REQ)
            commands.connect(endpoint)
            turn = asyncio.Lock()
            server = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"], cors_allowed_origins="*")

            @server.event
            async def connect(sid: str, environ: dict[str, Any]) -> None:
                await server.emit("connected", {"message": "Connected successfully"}, to=sid)

            @server.event
            async def process(sid: str, data: dict[str, Any]) -> dict[str, Any]:
                params = data.get("params")
                if not isinstance(params, dict):
                    return {"status": "error", "message": "PROCESS command requires 'params' field"}
                async with turn:
                    await commands.send_json(params)
                    answer = await commands.recv_json()
                return {"status": "success", "message": f"{params.get('method')} executed", "data": answer}

            application = web.Application()
            server.attach(application)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            print(runner.addresses[0][1], flush=True)
            # Standard input ends with whoever started this.
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
            await runner.cleanup()
        finally:
            worker.kill()
            worker.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", default=str(Path(__file__).resolve().parents[2] / "Workers/default"), help="folder with a main.py")
    parser.add_argument("--worker", metavar="ENDPOINT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        run_worker(options.worker, options.project)
    else:
        asyncio.run(serve(options.project))


if __name__ == "__main__":
    main()
