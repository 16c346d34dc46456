"""Writes random weights and a prepared avatar in MuseTalk's layout, for tests and measurements without the real files.

``python -m avatar_engine.musetalk.random_weights tiny|full FOLDER`` makes ``FOLDER/weights`` and ``FOLDER/avatars/random``. Faces made with them are
noise; time and memory of ``full`` are those of the real ones.
"""

from __future__ import annotations

import argparse
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from PIL import Image
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from .layout import LATENT_SHAPE


@dataclass(frozen=True)
class Size:
    """The sizes of one kind of random weights."""

    unet: tuple[int, int, int, int]
    unet_layers: int
    unet_groups: int
    vae: tuple[int, int, int, int]
    vae_layers: int
    vae_groups: int
    hidden: int
    heads: int
    feed_forward: int
    seconds: int


SIZES = {
    "tiny": Size((4, 4, 8, 8), 1, 2, (2, 2, 4, 4), 1, 1, 32, 4, 64, 4),
    "full": Size((320, 640, 1280, 1280), 2, 32, (128, 256, 512, 512), 2, 32, 384, 6, 1536, 30),
}
"""``full`` is MuseTalk 1.5, sd-vae-ft-mse and Whisper tiny; ``tiny`` has the same blocks, far narrower, and hears 4 s at once."""


def write_weights(folder: Path, kind: str = "tiny", seed: int = 1) -> Path:
    """Writes the weights' folder; returns it."""
    size = SIZES[kind]
    generator = torch.Generator().manual_seed(seed)
    unet = {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": "0.6.0.dev0",
        "act_fn": "silu",
        "attention_head_dim": 8 if kind == "full" else 2,
        "block_out_channels": list(size.unet),
        "center_input_sample": False,
        "cross_attention_dim": size.hidden,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": 8,
        "layers_per_block": size.unet_layers,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": size.unet_groups,
        "out_channels": 4,
        "sample_size": 64,
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    }
    vae = {
        "_class_name": "AutoencoderKL",
        "_diffusers_version": "0.4.2",
        "act_fn": "silu",
        "block_out_channels": list(size.vae),
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "in_channels": 3,
        "latent_channels": 4,
        "layers_per_block": size.vae_layers,
        "norm_num_groups": size.vae_groups,
        "out_channels": 3,
        "sample_size": 256,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    whisper = {
        "model_type": "whisper",
        "d_model": size.hidden,
        "encoder_layers": 4,
        "encoder_attention_heads": size.heads,
        "encoder_ffn_dim": size.feed_forward,
        "max_source_positions": size.seconds * 50,
        "num_mel_bins": 80,
    }
    filters = {
        "chunk_length": size.seconds,
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "hop_length": 160,
        "n_fft": 400,
        "n_samples": size.seconds * 16_000,
        "nb_max_frames": size.seconds * 100,
        "padding_side": "right",
        "padding_value": 0.0,
        "sampling_rate": 16_000,
    }
    _write_json(folder / "musetalkV15/musetalk.json", unet)
    _write_json(folder / "sd-vae/config.json", vae)
    _write_json(folder / "whisper/config.json", whisper)
    _write_json(folder / "whisper/preprocessor_config.json", filters)
    with torch.device("meta"):
        networks = (
            UNet2DConditionModel(**_public(unet)),
            AutoencoderKL(**_public(vae)),
            WhisperEncoder(WhisperConfig.from_dict(whisper)),
        )
    torch.save(_random_state(networks[0], generator), folder / "musetalkV15/unet.pth")
    state = _random_state(networks[1], generator)
    torch.save({_old_name(name): tensor for name, tensor in state.items()}, folder / "sd-vae/diffusion_pytorch_model.bin")
    state = {f"model.encoder.{name}": tensor for name, tensor in _random_state(networks[2], generator).items()}
    state["model.decoder.embed_tokens.weight"] = torch.zeros(4, size.hidden)  # The real file holds a decoder, too.
    torch.save(state, folder / "whisper/pytorch_model.bin")
    return folder


def write_avatar(
    folder: Path, *, count: int = 6, width: int = 320, height: int = 240, face: tuple[int, int, int, int] = (100, 60, 196, 180), seed: int = 1
) -> Path:
    """Writes a prepared avatar of ``count`` pictures; as with MuseTalk's own, the lists hold them forth and then back. Returns its folder."""
    generator = np.random.default_rng(seed)
    torch_generator = torch.Generator().manual_seed(seed)
    for name in ("full_imgs", "mask"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    half = int(max(face[2] - face[0], face[3] - face[1]) // 2 * 1.2)
    centre = ((face[0] + face[2]) // 2, (face[1] + face[3]) // 2)
    faces, crops, latents = [], [], []
    for index in range(count):
        left, top = face[0] + index % 3, face[1] + index % 2
        # NumPy's integers, as the face detector leaves them in the real files.
        faces.append((np.int64(left), top, np.int64(left + face[2] - face[0]), np.int32(top + face[3] - face[1])))
        x, y = centre[0] + index % 3, centre[1] + index % 2
        crops.append([x - half, y - half, x + half, y + half])
        latents.append(torch.randn(1, *LATENT_SHAPE, generator=torch_generator))
        picture = generator.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        image = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
        mask = Image.fromarray(_mask(2 * half, half))
        for place in (index, 2 * count - 1 - index):
            image.save(folder / f"full_imgs/{place:08d}.png", compress_level=1)
            mask.save(folder / f"mask/{place:08d}.png", compress_level=1)
    (folder / "coords.pkl").write_bytes(pickle.dumps(faces + faces[::-1]))
    (folder / "mask_coords.pkl").write_bytes(pickle.dumps(crops + crops[::-1]))
    torch.save(latents + latents[::-1], folder / "latents.pt")
    _write_json(folder / "avator_info.json", {"avatar_id": folder.name, "video_path": "random", "bbox_shift": 5, "version": "v15"})
    return folder


def _mask(side: int, half: int) -> np.ndarray:
    # Soft edges around the lower half of the face, nothing near the box's own edge, as the blurred original.
    row = np.clip((half * 0.9 - np.abs(np.arange(side) - half)) / (half * 0.2), 0, 1)
    column = np.clip((np.arange(side) - half) / (half * 0.2), 0, 1) * row
    return np.round(255 * column[:, None] * row[None, :]).astype(np.uint8)


def _public(config: dict) -> dict:
    return {key: value for key, value in config.items() if not key.startswith("_")}


def _random_state(network: torch.nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
    state = {}
    for name, tensor in network.state_dict().items():
        if tensor.ndim == 1:
            # Norms and biases: near 1 and near 0, so that signals neither die nor grow.
            state[name] = torch.ones(tensor.shape) if "norm" in name and name.endswith("weight") else torch.zeros(tensor.shape)
        else:
            inputs = tensor.shape[1:].numel()
            state[name] = torch.randn(tensor.shape, generator=generator) * inputs**-0.5
    return state


def _old_name(name: str) -> str:
    # The published decoder names its attention so.
    if ".attentions." in name:
        for new, old in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")):
            name = name.replace(new, old)
    return name


def _write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m avatar_engine.musetalk.random_weights", description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(SIZES), help="tiny: 2 MB, for tests; full: 4 GB, the true sizes")
    parser.add_argument("folder", type=Path, help="gets weights/ and avatars/random/")
    arguments = parser.parse_args()
    write_weights(arguments.folder / "weights", arguments.kind)
    if arguments.kind == "full":
        write_avatar(arguments.folder / "avatars/random", count=50, width=720, height=1280, face=(200, 300, 520, 700))
    else:
        write_avatar(arguments.folder / "avatars/random")


if __name__ == "__main__":
    main()
