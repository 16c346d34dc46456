"""The sound of one utterance as the network hears it: the window of each picture, and whether it is silence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from .layout import FEATURES_PER_PICTURE, FEATURES_PER_SECOND
from .network import SoundNetwork
from .weights import SAMPLE_RATE

FEATURE_SAMPLES = SAMPLE_RATE // FEATURES_PER_SECOND
"""Samples between two features: 320."""

PICTURE_WINDOW = FEATURES_PER_PICTURE * FEATURE_SAMPLES
"""Samples that one picture hears: 3,200 (200 ms)."""


class KnownSound(Protocol):
    """What is known of an utterance; ``avatar_engine.Utterance`` is one."""

    start: int
    total: int | None

    @property
    def known(self) -> int:
        """The sample after the last one known."""

    def window(self, first: int, count: int) -> np.ndarray:
        """``count`` samples of int16 from ``first`` on, silence where nothing is known."""


@dataclass(frozen=True)
class Hearing:
    """Which sound around its first sample a picture is made of."""

    window_start_ms: int = -80
    """Where the 200 ms window begins, against the picture's own time; MuseTalk was trained with -80, some adapters use 0."""
    context_ms: int = 80
    """Sound that must be known beyond the window: Whisper hears what is near as well."""
    silence_dbfs: float | None = -50.0
    """A picture around which no sample is louder is idle; ``None``: the network draws silence too."""

    def __post_init__(self) -> None:
        if not -400 <= self.window_start_ms <= 400 or self.window_start_ms % 20:
            raise ValueError(f"a window that starts at {self.window_start_ms} ms: a multiple of 20 from -400 to 400 was expected")
        if not 0 <= self.context_ms <= 2000:
            raise ValueError(f"a context of {self.context_ms} ms: 0 to 2000 was expected")

    def first_feature(self, first_sample: int) -> int:
        """The index of the first feature for a picture; may be negative at the beginning."""
        return first_sample // FEATURE_SAMPLES + self.window_start_ms * FEATURES_PER_SECOND // 1000

    def needed_until(self, first_sample: int) -> int:
        """The sample before which all must be known to make a picture."""
        return (self.first_feature(first_sample) + FEATURES_PER_PICTURE) * FEATURE_SAMPLES + self.context_ms * SAMPLE_RATE // 1000

    def look_ahead(self, fps: float) -> int:
        """Samples needed beyond a picture's own."""
        return max(0, self.needed_until(0) - int(SAMPLE_RATE / fps))

    def is_silent(self, sound: KnownSound, first_sample: int, duration: int) -> bool:
        """Whether nothing is heard from 160 ms before a picture to as far after it as is surely known."""
        if self.silence_dbfs is None:
            return False
        before = SAMPLE_RATE * 160 // 1000
        after = max(0, min(before, self.needed_until(first_sample) - first_sample - duration))
        samples = sound.window(first_sample - before, before + duration + after)
        return not len(samples) or int(np.abs(samples.astype(np.int32)).max()) <= 32_768 * 10 ** (self.silence_dbfs / 20)


class HeardSpeech:
    """The features of one utterance. Made anew when pictures need sound that was not known then."""

    LEFT_CONTEXT_SECONDS = 2
    """Sound before a picture's window that is heard with it, where the utterance is longer than Whisper's ear."""

    def __init__(self, sound: KnownSound, hearing: Hearing) -> None:
        self.sound = sound
        self.hearing = hearing
        self._features: torch.Tensor | None = None
        self._origin = 0
        self._until = 0

    def covers(self, first_sample: int) -> bool:
        """Whether the features of a picture are there."""
        if self._features is None:
            return False
        if self._origin > self._origin_of_all and self.hearing.first_feature(first_sample) * FEATURE_SAMPLES < self._origin:
            return False
        return self.hearing.needed_until(first_sample) <= self._until or self._is_heard_to_its_end

    @property
    def _origin_of_all(self) -> int:
        return self.sound.start // FEATURE_SAMPLES * FEATURE_SAMPLES

    @property
    def _is_heard_to_its_end(self) -> bool:
        total = self.sound.total
        return total is not None and self._until >= min(total, self.sound.known)

    def choose(self, first_sample: int, longest: int) -> np.ndarray:
        """The sound to be heard next, for the picture at ``first_sample`` and as many after it as possible; float32."""
        origin = self._origin_of_all
        known = self.sound.known
        if known - origin > longest:
            context = min(self.LEFT_CONTEXT_SECONDS * SAMPLE_RATE, longest // 4)
            needed = self.hearing.first_feature(first_sample) * FEATURE_SAMPLES - context
            # Rounded up, so that the newest sound is inside.
            newest = -(-(known - longest) // FEATURE_SAMPLES) * FEATURE_SAMPLES
            origin = max(origin, min(newest, needed // FEATURE_SAMPLES * FEATURE_SAMPLES))
        self._features = None
        self._origin = origin
        self._until = min(known, origin + longest)
        return self.sound.window(origin, self._until - origin).astype(np.float32) / 32_768

    def hear(self, features: torch.Tensor) -> None:
        """Takes the features ``[time, layers, width]`` of what was chosen."""
        self._features = features

    def features(self, first_sample: int) -> torch.Tensor:
        """``[50, 384]`` for one picture that is covered; zeros before the beginning and after the end of the sound."""
        if self._features is None:
            raise RuntimeError("features were asked for before the sound was heard")
        first = self.hearing.first_feature(first_sample) - self._origin // FEATURE_SAMPLES
        valid = min(len(self._features), math.ceil((self._until - self._origin) / FEATURE_SAMPLES))
        low, high = max(0, first), min(first + FEATURES_PER_PICTURE, valid)
        if (low, high) == (first, first + FEATURES_PER_PICTURE):
            piece = self._features[low:high]
        else:
            piece = self._features.new_zeros(FEATURES_PER_PICTURE, *self._features.shape[1:])
            if low < high:
                piece[low - first : high - first] = self._features[low:high]
        return piece.reshape(-1, self._features.shape[-1])


def hear_all(network: SoundNetwork, wanted: Sequence[tuple[HeardSpeech, int]]) -> None:
    """Hears for several utterances at once; each comes with the first sample of its earliest picture."""
    sounds = [speech.choose(first_sample, network.longest) for speech, first_sample in wanted]
    features = network.features([sound if len(sound) else np.zeros(1, np.float32) for sound in sounds])
    for (speech, _first_sample), heard in zip(wanted, features, strict=True):
        speech.hear(heard)
