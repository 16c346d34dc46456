"""The two networks of MuseTalk behind one call each: sound to features, and features to faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .layout import FEATURES_PER_PICTURE, LATENT_SHAPE
from .weights import SAMPLE_RATE, Weights, load_weights


@dataclass(frozen=True)
class Device:
    """Where the networks run, and in which precision."""

    name: str
    """"cuda", "cuda:1", "cpu" ..."""
    precision: torch.dtype

    @classmethod
    def choose(cls, name: str = "auto", precision: str = "auto") -> Device:
        """``auto`` is the first GPU in float16, without one the CPU in float32. Raises ``ValueError`` for one that is not there."""
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if name.startswith("cuda") and not torch.cuda.is_available():
            raise ValueError(f"the device {name} was asked for, but torch {torch.__version__} finds no GPU")
        if precision == "auto":
            precision = "float16" if name.startswith("cuda") else "float32"
        return cls(name, {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}[precision])

    @property
    def is_gpu(self) -> bool:
        """Whether work on it runs beside Python's."""
        return self.name.startswith("cuda")


def positions(length: int, width: int) -> torch.Tensor:
    """Sinusoidal positions ``[length, width]`` that are added to the features of one picture (Vaswani et al. 2017, section 3.5)."""
    place = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(place * rate)
    table[:, 1::2] = torch.cos(place * rate)[:, : width // 2]
    return table


def _moved(network: torch.nn.Module, device: Device) -> torch.nn.Module:
    # By torch's own method: the libraries' versions of it log a warning for every change of precision.
    layout = torch.channels_last if device.is_gpu else torch.contiguous_format
    return torch.nn.Module.to(network, device=device.name, dtype=device.precision, memory_format=layout)


class FaceNetwork:
    """UNet and image decoder: the face of each picture out of its latents and the features of its sound.

    Not for several threads at once.
    """

    def __init__(self, weights: Weights, device: Device) -> None:
        self.device = device
        self._unet = _moved(weights.unet, device)
        self._vae = _moved(weights.vae, device)
        self._scale = float(self._vae.config.scaling_factor)
        self.layers = weights.whisper.config.encoder_layers + 1
        """Hidden states of Whisper: what it embeds, and each layer's."""
        self.width = weights.whisper.config.d_model
        """Numbers in one feature; 384 for Whisper tiny."""
        self._positions = positions(FEATURES_PER_PICTURE * self.layers, self.width).to(device.name, device.precision)
        self._timestep = torch.zeros(1, dtype=torch.long, device=device.name)

    @classmethod
    def load(cls, folder: Path, device: Device) -> tuple[FaceNetwork, SoundNetwork]:
        """Both networks out of the weights' folder; raises ``LayoutError``."""
        weights = load_weights(folder)
        return cls(weights, device), SoundNetwork(weights, device)

    @torch.inference_mode()
    def faces(self, latents: torch.Tensor, features: torch.Tensor) -> np.ndarray:
        """Makes ``B`` faces at once.

        - latents: ``[B, 8, 32, 32]``.
        - features: ``[B, 50, 384]`` with Whisper tiny, from ``SoundNetwork``, without positions.
        - Returns BGR, uint8, ``[B, 256, 256, 3]``.
        """
        latents = latents.to(self.device.name, self.device.precision)
        features = features.to(self.device.name, self.device.precision) + self._positions
        # MuseTalk is no diffusion: one step at time 0 gives the latents of the face.
        made = self._unet(latents, self._timestep, encoder_hidden_states=features, return_dict=False)[0]
        picture = self._vae.decode(made / self._scale, return_dict=False)[0]
        # -1...1 to 0...255, rounded; channels from RGB to BGR; [B, 3, H, W] to [B, H, W, 3]. Not-a-number becomes grey, not a random byte.
        picture = torch.nan_to_num(picture.float(), nan=0.0).clamp(-1, 1).add(1).mul(127.5).round()
        return picture.to(torch.uint8).flip(1).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def warm_up(self, sizes: Sequence[int]) -> None:
        """Runs each batch size once, so that the first viewer does not wait for the GPU's tuning."""
        for size in sizes:
            self.faces(torch.zeros(size, *LATENT_SHAPE), torch.zeros(size, FEATURES_PER_PICTURE * self.layers, self.width))


class SoundNetwork:
    """Whisper's encoder with all its hidden states. Not for several threads at once."""

    def __init__(self, weights: Weights, device: Device) -> None:
        self.device = device
        self._filters = weights.filters
        self._encoder = _moved(weights.whisper, device)
        self.longest = weights.filters.n_samples
        """Samples that it hears at once; 480,000 (30 s) for Whisper tiny."""

    @torch.inference_mode()
    def features(self, sounds: Sequence[np.ndarray]) -> torch.Tensor:
        """Features of several sounds at once.

        - sounds: float32 of -1...1 at 16 kHz, each of at most ``longest`` samples; the rest counts as silence.
        - Returns ``[B, time, layers, width]`` on the device: 50 a second of every hidden state, from the embedding to the last layer.
        """
        mel = self._filters(list(sounds), sampling_rate=SAMPLE_RATE, return_tensors="pt", device=self.device.name).input_features
        encoded = self._encoder(mel.to(self.device.name, self.device.precision), output_hidden_states=True)
        return torch.stack(encoded.hidden_states, dim=2)
