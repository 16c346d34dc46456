"""aiortc 1.9.0 and the latest connect through the WebSocket protocol and WHEP, relayed and direct (acceptance 4)."""
import json
import subprocess
from pathlib import Path

import pytest

from server import ROOT, Server

HERE = Path(__file__).parent
PYTHONS = {"1.9.0": ROOT / ".venv-aiortc-1.9/bin/python", "latest": ROOT / ".venv/bin/python"}


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("mode", ["relay", "direct"])
@pytest.mark.parametrize("door", ["websocket", "whep"])
def test_aiortc_receives_picture_and_sound(version, mode, door):
    with Server(connectivity=mode) as server:
        run = subprocess.run(
            [PYTHONS[version], HERE / "aiortc_viewer.py", door, server.http], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr + server.log()
        report = json.loads(run.stdout.splitlines()[-1])
        assert report["video_frames"] >= 10 and report["audio_frames"] >= 10
        assert report["size"] == [512, 512]
        assert report["remote_type"] == ("relay" if mode == "relay" else "host")
