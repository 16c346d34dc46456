"""``--benchmark``: how fast the loaded network is on this device, and how many avatars it carries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from .avatar import PreparedAvatar
from .batching import SIZES
from .layout import FACE_SIZE, FEATURES_PER_PICTURE, LATENT_SHAPE
from .network import FaceNetwork, SoundNetwork
from .weights import SAMPLE_RATE

LEAST_RUNS = 2


@dataclass(frozen=True)
class Measured:
    """What one device does."""

    device: str
    precision: str
    fps: float
    """Pictures a second of one avatar."""
    batch_seconds: dict[int, float]
    """Of one batch of faces, by its size: median."""
    hearing_seconds: dict[int, float]
    """Of one run of Whisper's encoder, by the number of sounds: median."""
    blend_seconds: float | None
    """Of one picture, on one core; ``None`` without an avatar."""
    memory_bytes: int | None
    """Of the GPU, at most."""

    def rate(self, size: int) -> float:
        """Pictures a second in batches of ``size``."""
        return size / self.batch_seconds[size]

    @property
    def avatars(self) -> int:
        """How many speak at once at the full rate: each hears once a second, and the best batch is always full."""
        hearing = min(seconds / sounds for sounds, seconds in self.hearing_seconds.items())
        picture = min(seconds / size for size, seconds in self.batch_seconds.items())
        return int(1 / (hearing + self.fps * picture))

    def as_json(self) -> str:
        """One JSON object."""
        return json.dumps(
            {
                "device": self.device,
                "precision": self.precision,
                "pictures_per_second": {str(size): round(self.rate(size), 2) for size in self.batch_seconds},
                "batch_ms": {str(size): round(1000 * seconds, 2) for size, seconds in self.batch_seconds.items()},
                "hearing_ms": {str(sounds): round(1000 * seconds, 2) for sounds, seconds in self.hearing_seconds.items()},
                "blend_ms": None if self.blend_seconds is None else round(1000 * self.blend_seconds, 3),
                "memory_bytes": self.memory_bytes,
                "fps": self.fps,
                "avatars": self.avatars,
            },
            indent=2,
        )

    def as_text(self) -> str:
        """A table for people."""
        lines = [f"MuseTalk 1.5 on {self.device}, {self.precision}", "batch   ms a batch   pictures a second"]
        lines += [f"{size:5}   {1000 * seconds:10.1f}   {self.rate(size):17.1f}" for size, seconds in self.batch_seconds.items()]
        lines += [f"hearing {sounds} at once: {1000 * seconds:.1f} ms" for sounds, seconds in self.hearing_seconds.items()]
        if self.blend_seconds is not None:
            lines.append(f"blending one picture: {1000 * self.blend_seconds:.2f} ms of one core")
        if self.memory_bytes is not None:
            lines.append(f"memory of the GPU: {self.memory_bytes / 1e9:.1f} GB")
        lines.append(f"avatars that speak at once at {self.fps:g} pictures a second: {self.avatars}")
        return "\n".join(lines)


def measure(
    faces: FaceNetwork, sound: SoundNetwork, avatar: PreparedAvatar | None, *, largest: int, fps: float, seconds: float = 2.0
) -> Measured:
    """Runs every batch size for about ``seconds``, on random input: the networks' time does not depend on it."""
    width = FEATURES_PER_PICTURE * faces.layers
    batches = {}
    for size in (size for size in SIZES if size <= largest):
        latents = torch.randn(size, *LATENT_SHAPE) if avatar is None else avatar.latents[torch.arange(size) % avatar.count]
        features = torch.randn(size, width, faces.width)
        batches[size] = _median(lambda latents=latents, features=features: faces.faces(latents, features), seconds)
    noise = np.random.default_rng(1)
    hearing = {}
    for sounds in (1, 8):
        spoken = [noise.normal(0, 0.1, min(SAMPLE_RATE, sound.longest)).astype(np.float32) for _ in range(sounds)]
        # The GPU works on after the call; reading one number waits for it.
        hearing[sounds] = _median(lambda spoken=spoken: float(sound.features(spoken).sum()), seconds / 2)
    blend = None
    if avatar is not None:
        face = noise.integers(0, 256, (FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8)
        places = avatar.places
        blend = _median(lambda: [place.blend(face) for place in places], seconds / 4) / len(places)
    device = faces.device
    memory = torch.cuda.max_memory_allocated(device.name) if device.is_gpu else None
    name = torch.cuda.get_device_name(device.name) if device.is_gpu else f"{device.name} ({torch.get_num_threads()} threads)"
    return Measured(name, str(device.precision).removeprefix("torch."), fps, batches, hearing, blend, memory)


def _median(work: Callable[[], object], seconds: float) -> float:
    work()
    times: list[float] = []
    while len(times) < LEAST_RUNS or sum(times) < seconds:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times))
