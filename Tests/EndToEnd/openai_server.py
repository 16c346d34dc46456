"""An OpenAI-compatible server of the tests' own: speech, transcriptions and chat, and faults on demand.

The `model` of a request says how it is answered: any of `FAULTS`, or anything else for an ordinary answer. As a module it
is a context manager that runs on a thread of its own; as a script it prints its port and serves until it is ended.
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import math
import shutil
import struct
import subprocess
import tempfile
import threading
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

RATE = 24_000
FAULTS = ("hang", "slow", "close", "html", "json", "empty", "huge", "redirect", "error401", "error429", "error500",
          "error500once")
HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


@dataclass
class Asked:
    """One request as it arrived."""
    path: str
    model: str
    key: str | None
    body: dict[str, Any]
    # Of a transcription: the WAV file.
    recording: bytes = field(default=b"", repr=False)


def tone(seconds: float, hertz: float = 220) -> bytes:
    """16-bit little-endian samples at RATE."""
    count = int(seconds * RATE)
    return struct.pack(f"<{count}h", *(int(8000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(count)))


def wav(samples: bytes, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples)
    return file.getvalue()


def resampled(samples: bytes, rate: int) -> bytes:
    """To RATE, by straight lines between the samples: good enough to be listened to and to be measured."""
    source = struct.unpack(f"<{len(samples) // 2}h", samples)
    count = len(source) * RATE // rate
    result = []
    for index in range(count):
        place = index * rate / RATE
        left = int(place)
        right = min(left + 1, len(source) - 1)
        result.append(round(source[left] + (source[right] - source[left]) * (place - left)))
    return struct.pack(f"<{count}h", *result)


def speech(text: str) -> bytes:
    """The text as Flite's program reads it, or a tone of 60 ms a character where there is none."""
    program = shutil.which("flite")
    if program is None or not text.strip():
        return tone(max(0.2, 0.06 * len(text)))
    with tempfile.TemporaryDirectory(prefix="openai-server-") as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run([program, "-voice", "slt", "-t", text, "-o", str(path)], check=True)
        with wave.open(str(path)) as reader:
            return resampled(reader.readframes(reader.getnframes()), reader.getframerate())


class OpenAIServer:
    """The server on a port of loopback.

    `transcript` answers every transcription (None: "heard N seconds"), `answer` every chat (None: an echo of the question).
    What was asked is kept in `asked`, the chats' messages in `questions`, the transcriptions' WAV files in `recordings`.
    """

    def __init__(self, transcript: str | None = None, answer: str | None = None, model: str = "test",
                 key: str | None = None, pause: float = 0.0):
        self.transcript = transcript
        self.answer = answer
        self.model = model
        # The key that requests must carry; None: none is asked for.
        self.key = key
        # Seconds between two pieces of an ordinary streamed answer.
        self.pause = pause
        self.asked: list[Asked] = []
        # Requests whose client went before their answer was complete.
        self.abandoned = 0
        self.port = 0
        self._failed_once: set[str] = set()
        self._ended: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # As a module

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Sections of the server's configuration that send everything here."""
        service = {"backend": "openai", "url": self.url, "model": self.model}
        return {"voice": service | {"voice": "slt"}, "hearing": dict(service), "answering": dict(service)}

    @property
    def questions(self) -> list[list[dict[str, str]]]:
        return [asked.body["messages"] for asked in self.asked if asked.path.endswith("/chat/completions")]

    @property
    def sentences(self) -> list[str]:
        return [asked.body["input"] for asked in self.asked if asked.path.endswith("/audio/speech")]

    @property
    def recordings(self) -> list[bytes]:
        return [asked.recording for asked in self.asked if asked.recording]

    def __enter__(self) -> "OpenAIServer":
        is_serving = threading.Event()
        problem: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self.serve(is_serving.set))
            except BaseException as error:  # Raised again where the test can see it.
                problem.append(error)
                is_serving.set()
        self._thread = threading.Thread(target=run, name="openai-server", daemon=True)
        self._thread.start()
        is_serving.wait(timeout=10)
        if problem:
            raise problem[0]
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        if self._thread is not None:
            self._thread.join(timeout=10)

    async def serve(self, on_ready=lambda: None, port: int = 0) -> None:
        """Serves until `stop` is called or the task is cancelled."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        application = web.Application(client_max_size=64 << 20)
        application.router.add_post("/v1/audio/speech", self._speech)
        application.router.add_post("/v1/audio/transcriptions", self._transcription)
        application.router.add_post("/v1/chat/completions", self._chat)
        # A handler whose client has gone is cancelled, which is how `abandoned` is counted.
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.port = runner.addresses[0][1]
        on_ready()
        try:
            await self._ended.wait()
        finally:
            await runner.cleanup()

    # The endpoints

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self._note(request, body)
        samples = await asyncio.to_thread(speech, body["input"])
        if body.get("response_format") == "wav":
            samples, media_type = wav(samples), "audio/wav"
        else:
            media_type = "audio/pcm"
        pieces = [samples[start:start + 4800] for start in range(0, len(samples), 4800)]
        return await self._answer(request, body["model"], media_type, pieces, huge=tone(1) * 2)

    async def _transcription(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        recording = form["file"].file.read()
        body = {name: value for name, value in form.items() if isinstance(value, str)}
        self._note(request, body, recording)
        with wave.open(io.BytesIO(recording)) as reader:
            seconds = reader.getnframes() / reader.getframerate()
        text = self.transcript if self.transcript is not None else f"heard {seconds:.1f} seconds"
        pieces = [json.dumps({"text": text}).encode()]
        return await self._answer(request, body["model"], "application/json", pieces, huge=b" " * 65536)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self._note(request, body)
        question = body["messages"][-1]["content"]
        text = self.answer if self.answer is not None else f"You said: {question}"
        tokens = [word if index == 0 else " " + word for index, word in enumerate(text.split(" "))]
        if not body.get("stream"):
            whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
            return await self._answer(request, body["model"], "application/json", [json.dumps(whole).encode()])

        def event(delta: dict[str, str], reason: str | None = None) -> bytes:
            chunk = {"object": "chat.completion.chunk", "model": body["model"],
                     "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            return f"data: {json.dumps(chunk)}\n\n".encode()
        pieces = [event({"role": "assistant"})] + [event({"content": token}) for token in tokens]
        pieces.append(event({}, "stop") + b"data: [DONE]\n\n")
        return await self._answer(request, body["model"], "text/event-stream", pieces, huge=event({"content": "word " * 2000}))

    # Answers and faults

    def _note(self, request: web.Request, body: dict[str, Any], recording: bytes = b"") -> None:
        authorization = request.headers.get("Authorization")
        key = authorization.removeprefix("Bearer ") if authorization else None
        self.asked.append(Asked(request.path, str(body.get("model", "")), key, body, recording))
        if self.key is not None and key != self.key:
            # Some services repeat what they were given.
            raise self._error(web.HTTPUnauthorized, f"Incorrect API key provided: {key}")

    @staticmethod
    def _error(kind: type[web.HTTPException], message: str, **headers: str) -> web.HTTPException:
        text = json.dumps({"error": {"message": message, "type": "test", "code": None}})
        return kind(text=text, content_type="application/json", headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def _answer(self, request: web.Request, model: str, media_type: str, pieces: list[bytes],
                      huge: bytes = b"") -> web.StreamResponse:
        try:
            return await self._answer_or_fail(request, model, media_type, pieces, huge)
        except (asyncio.CancelledError, ConnectionError):
            self.abandoned += 1
            raise

    async def _answer_or_fail(self, request: web.Request, model: str, media_type: str, pieces: list[bytes],
                              huge: bytes) -> web.StreamResponse:
        if model == "hang":
            await asyncio.Event().wait()
        if model == "html":
            return web.Response(text=HTML, content_type="text/html")
        if model == "json":
            return web.json_response({"result": "something else"})
        if model == "redirect":
            raise web.HTTPTemporaryRedirect("http://127.0.0.1:1/v1/elsewhere")
        if model == "error401":
            raise self._error(web.HTTPUnauthorized, f"Incorrect API key provided: {self.asked[-1].key}")
        if model == "error429":
            raise self._error(web.HTTPTooManyRequests, "Rate limit reached", Retry_After="60")
        if model == "error500":
            raise self._error(web.HTTPInternalServerError, "The model has crashed")
        if model == "error500once" and request.path not in self._failed_once:
            self._failed_once.add(request.path)
            raise self._error(web.HTTPInternalServerError, "The model is loading", Retry_After="0")
        response = web.StreamResponse(headers={"Content-Type": media_type})
        await response.prepare(request)
        if model == "empty":
            await response.write_eof()
            return response
        if model == "huge":
            while True:
                await response.write(huge)
        if model == "slow":
            # One byte a second: never silent for long, and never done.
            for piece in pieces:
                for byte in piece:
                    await response.write(bytes([byte]))
                    await asyncio.sleep(1)
        for index, piece in enumerate(pieces):
            if model == "close" and index >= len(pieces) // 2:
                assert request.transport is not None
                request.transport.abort()
                return response
            await response.write(piece)
            if self.pause:
                await asyncio.sleep(self.pause)
        await response.write_eof()
        return response


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--transcript", help="what every transcription answers")
    parser.add_argument("--answer", help="what every chat answers")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two pieces of an answer")
    options = parser.parse_args()
    server = OpenAIServer(transcript=options.transcript, answer=options.answer, pause=options.pause)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(lambda: print(server.port, flush=True), options.port))


if __name__ == "__main__":
    main()
