"""A worker for tests: the protocol of docs/protocols/worker.md and little else, so that what is tested is the server."""
import ctypes
import importlib.util
import json
import os
import sys
import threading
import traceback

import zmq

TOKEN = os.environ.pop("AVATAR_STREAMER_WORKER_TOKEN")
PROJECT = os.environ["AVATAR_STREAMER_PROJECT"]
context = zmq.Context()
sockets, locks = {}, {}
for name in ("control", "calls", "events"):
    sockets[name] = context.socket(zmq.DEALER)
    sockets[name].routing_id = name.encode()
    sockets[name].connect(os.environ["AVATAR_STREAMER_WORKER_ENDPOINT"])
    locks[name] = threading.Lock()
module = None
running = {}
dropped = 0
MAIN = threading.main_thread().ident


class Interrupted(BaseException):
    pass


def send(name, **message):
    raw = message.pop("raw", None)
    with locks[name]:
        sockets[name].send(raw if raw is not None else json.dumps(message).encode())


def push_message(event, data):
    global dropped
    try:
        with locks["events"]:
            sockets["events"].send(json.dumps({"type": "push", "event": event, "data": data}).encode(), zmq.DONTWAIT)
    except zmq.Again:
        dropped += 1


def control():
    poller = zmq.Poller()
    poller.register(sockets["control"], zmq.POLLIN)
    while True:
        if not poller.poll(200):
            if not getattr(module, "SILENT", False):
                send("control", type="heartbeat", calls=len(running), pushes_dropped=dropped)
            continue
        order = json.loads(sockets["control"].recv())
        if order["type"] == "interrupt" and running:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(MAIN), ctypes.py_object(Interrupted))
        elif order["type"] in ("stop", "shutdown"):
            errors = []
            try:
                getattr(module, "stop", lambda: None)()
            except Exception as error:
                errors.append(str(error))
            send("control", type="stopped", errors=errors, threads=[])
            if order["type"] == "shutdown":
                context.destroy(linger=500)
                os._exit(0)


def orphaned():
    sys.stdin.read()
    os._exit(3)


def call(order):
    running[order["id"]] = order
    try:
        target = module if order["object"] == "main" else getattr(module, order["object"])
        value = getattr(target, order["method"])(**order["args"])
        answer = {"type": "result", "id": order["id"], "value": value}
    except Interrupted:
        answer = {"type": "error", "id": order["id"], "code": "interrupted", "error": "interrupted"}
    except Exception as error:
        answer = {"type": "error", "id": order["id"], "code": "exception", "error": str(error),
                  "traceback": traceback.format_exc()}
    running.pop(order["id"])
    send("calls", **answer)


send("control", type="hello", protocol=1, token=TOKEN, pid=os.getpid(), runtime="python test")
send("control", type="loading")
threading.Thread(target=orphaned, daemon=True).start()
try:
    spec = importlib.util.spec_from_file_location("main", PROJECT + "/main.py")
    module = importlib.util.module_from_spec(spec)
    module.push_message, module.send, module.TOKEN = push_message, send, TOKEN
    spec.loader.exec_module(module)
    getattr(module, "init", lambda: None)()
except Exception as error:
    send("control", type="failed", stage="import", error=str(error), traceback=traceback.format_exc())
    context.destroy(linger=500)
    sys.exit(1)
threading.Thread(target=control, daemon=True).start()
send("control", type="ready", import_seconds=0.01,
     objects=[{"name": "main", "kind": "module", "methods": [{"name": "echo", "doc": None, "arguments": []}]}])
while True:
    try:
        call(json.loads(sockets["calls"].recv()))
    except Interrupted:
        pass
