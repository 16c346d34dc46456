"""Write engines for AvatarStreamer: processes that turn speech into pictures of an avatar.

Derive from `Engine`, implement `open`, `idle_picture`, `speech` and `end`, and call `main(engine)`. The library does
the connection, credit, epochs, pings, reconnects, statistics and the end of the process.
"""
from __future__ import annotations

from .command_line import add_arguments, main, run_arguments
from .engine import Engine, Preparation, Refusal
from .pictures import AvatarDescription, Frame, Output, OutputError, Picture, PixelFormat, Samples, Sound, blank
from .protocol import SAMPLE_RATE, VERSION, ProtocolError
from .runtime import Options, run
from .sessions import DuePicture, Session, Utterance

__all__ = [
    "SAMPLE_RATE", "VERSION", "AvatarDescription", "DuePicture", "Engine", "Frame", "Options", "Output", "OutputError",
    "Picture", "PixelFormat", "Preparation", "ProtocolError", "Refusal", "Samples", "Session", "Sound", "Utterance",
    "add_arguments", "blank", "main", "run", "run_arguments",
]
