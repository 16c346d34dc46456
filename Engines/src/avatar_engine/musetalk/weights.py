"""Reads the weights' folder: configurations and state dictionaries, each checked against the network it is for.

Networks are first built without memory (torch's "meta" device) and then take the file's tensors as they are, so a file is read once, missing
and misshapen tensors are named, and a check of 3.4 GB touches hardly any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from .layout import FEATURES_PER_PICTURE, LATENT_SHAPE, LayoutError, expect_integer, expect_value, find, read_json

UNET = "musetalkV15/unet.pth"
UNET_CONFIG = "musetalkV15/musetalk.json"
VAE = "sd-vae/diffusion_pytorch_model.bin"
VAE_CONFIG = "sd-vae/config.json"
WHISPER = "whisper/pytorch_model.bin"
WHISPER_CONFIG = "whisper/config.json"
WHISPER_FILTERS = "whisper/preprocessor_config.json"

SAMPLE_RATE = 16_000
"""Hz; what Whisper hears."""


@dataclass
class Weights:
    """Everything of the weights' folder, on the CPU and in the files' precision."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    whisper: WhisperEncoder
    filters: WhisperFeatureExtractor


def read_tensors(folder: Path, path: str) -> object:
    """What torch saved at ``path``: tensors, lists and dictionaries only; raises ``LayoutError``."""
    place = find(folder, path)
    try:
        try:
            return torch.load(place, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            return torch.load(place, map_location="cpu", weights_only=True)  # A file of torch before 1.6 cannot be mapped.
    except MemoryError as error:
        raise LayoutError(path, "does not fit into memory") from error
    except Exception as error:  # torch raises whatever its zip reader and unpickler raise.
        reason = " ".join(str(error).split())
        raise LayoutError(path, f"is no file of tensors ({type(error).__name__}: {reason[:160]})") from error


def load_weights(folder: Path) -> Weights:
    """Loads the whole weights' folder; raises ``LayoutError`` for the first file that is missing or wrong."""
    hidden = load_whisper_config(folder).d_model
    return Weights(load_unet(folder, hidden), load_vae(folder), load_whisper(folder), load_filters(folder))


def load_unet(folder: Path, hidden: int | None = None) -> UNet2DConditionModel:
    """The UNet; ``hidden`` is Whisper's width, which its cross-attention must have."""
    config = read_json(folder, UNET_CONFIG)
    expect_value(UNET_CONFIG, config, "in_channels", LATENT_SHAPE[0])
    expect_value(UNET_CONFIG, config, "out_channels", 4)
    if hidden is not None:
        expect_value(UNET_CONFIG, config, "cross_attention_dim", hidden)
    _expect_blocks(UNET_CONFIG, config)
    network = _build(UNET_CONFIG, UNet2DConditionModel, config)
    return _fill(network, _state(folder, UNET), UNET)


def load_vae(folder: Path) -> AutoencoderKL:
    """The image decoder. Only the half that decodes is used; the other is loaded with it and let go."""
    config = read_json(folder, VAE_CONFIG)
    expect_value(VAE_CONFIG, config, "latent_channels", 4)
    expect_value(VAE_CONFIG, config, "out_channels", 3)
    _expect_blocks(VAE_CONFIG, config)
    if len(config["block_out_channels"]) != 4:
        raise LayoutError(VAE_CONFIG, "has not four blocks: a latent of 32 must become a picture of 256")
    factor = config.get("scaling_factor", 0.18215)
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0.001 < factor < 1000:
        raise LayoutError(VAE_CONFIG, f"has scaling_factor {str(factor)[:60]}; a number near 0.18215 was expected")
    network = _build(VAE_CONFIG, AutoencoderKL, config)
    network = _fill(network, {_modern(name): _flat(name, tensor) for name, tensor in _state(folder, VAE).items()}, VAE)
    network.encoder = None
    network.quant_conv = None
    return network


def load_whisper_config(folder: Path) -> WhisperConfig:
    """Whisper's configuration."""
    config = read_json(folder, WHISPER_CONFIG)
    expect_integer(WHISPER_CONFIG, config, "d_model", 8, 4096)
    expect_integer(WHISPER_CONFIG, config, "encoder_layers", 1, 64)
    expect_integer(WHISPER_CONFIG, config, "encoder_ffn_dim", 8, 65_536)
    expect_integer(WHISPER_CONFIG, config, "num_mel_bins", 8, 512)
    expect_integer(WHISPER_CONFIG, config, "max_source_positions", 4 * FEATURES_PER_PICTURE, 15_000)
    heads = expect_integer(WHISPER_CONFIG, config, "encoder_attention_heads", 1, 256)
    if config["d_model"] % heads:
        raise LayoutError(WHISPER_CONFIG, f"has {heads} heads, which do not divide d_model {config['d_model']}")
    try:
        return WhisperConfig.from_dict(config)
    except Exception as error:  # The configuration class checks what it likes and raises what it likes.
        raise LayoutError(WHISPER_CONFIG, f"is not understood: {str(error)[:160]}") from error


def load_whisper(folder: Path) -> WhisperEncoder:
    """Whisper's encoder; the decoder's weights in the file are left alone."""
    config = load_whisper_config(folder)
    network = _build(WHISPER_CONFIG, lambda **_: WhisperEncoder(config), {})
    state = _state(folder, WHISPER)
    for prefix in ("model.encoder.", "encoder."):
        part = {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}
        if part:
            return _fill(network, part, WHISPER)
    raise LayoutError(WHISPER, 'holds no tensor named "model.encoder." or "encoder."')


def load_filters(folder: Path) -> WhisperFeatureExtractor:
    """Whisper's log-mel filters."""
    config = read_json(folder, WHISPER_FILTERS)
    whisper = load_whisper_config(folder)
    for key, wanted in (
        ("feature_size", whisper.num_mel_bins),
        ("sampling_rate", SAMPLE_RATE),
        ("hop_length", 160),
        ("n_fft", 400),
    ):
        expect_value(WHISPER_FILTERS, config, key, wanted)
    seconds = expect_integer(WHISPER_FILTERS, config, "chunk_length", 1, 300)
    if seconds * 50 != whisper.max_source_positions:
        raise LayoutError(
            WHISPER_FILTERS, f"has chunk_length {seconds}, but max_source_positions {whisper.max_source_positions} are 1/50 s each"
        )
    return WhisperFeatureExtractor(
        feature_size=whisper.num_mel_bins, sampling_rate=SAMPLE_RATE, hop_length=160, chunk_length=seconds, n_fft=400, padding_value=0.0
    )


def _expect_blocks(path: str, config: dict) -> None:
    channels = config.get("block_out_channels")
    if not isinstance(channels, list) or not 1 <= len(channels) <= 8:
        raise LayoutError(path, "has no block_out_channels")
    if not all(isinstance(width, int) and 1 <= width <= 16_384 for width in channels):
        raise LayoutError(path, "has block_out_channels that are no numbers of channels")
    expect_integer(path, config, "layers_per_block", 1, 16)


def _build(path: str, network: object, config: dict) -> torch.nn.Module:
    known = {key: value for key, value in config.items() if not key.startswith("_")}
    try:
        with torch.device("meta"):
            return network(**known)
    except Exception as error:  # The libraries assert, index and divide by what the file says.
        reason = " ".join(str(error).split())
        raise LayoutError(path, f"does not describe a network ({type(error).__name__}: {reason[:160]})") from error


def _state(folder: Path, path: str) -> dict[str, torch.Tensor]:
    state = read_tensors(folder, path)
    if not isinstance(state, dict) or not state:
        raise LayoutError(path, "holds no state dictionary")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise LayoutError(path, f"holds at {str(name)[:80]} something that is no tensor")
    return state


def _fill(network: torch.nn.Module, state: dict[str, torch.Tensor], path: str) -> torch.nn.Module:
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in state]
    surplus = [name for name in state if name not in wanted]
    if missing:
        raise LayoutError(path, f"lacks {_some(missing)} of {len(wanted)} tensors")
    if surplus:
        raise LayoutError(path, f"has {_some(surplus)} too many: it is for another network")
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise LayoutError(path, f"has {name} with shape {list(tensor.shape)}; {list(wanted[name].shape)} was expected")
        if not tensor.is_floating_point():
            raise LayoutError(path, f"has {name} of type {tensor.dtype}; floating point was expected")
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _some(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


_OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def _modern(name: str) -> str:
    # The published decoder names its attention as diffusers did before 0.12.
    if ".attentions." in name:
        for old, new in _OLD_NAMES.items():
            name = name.replace(old, new)
    return name


def _flat(name: str, tensor: torch.Tensor) -> torch.Tensor:
    # Still older files hold attention as 1x1 convolutions.
    is_convolution = ".attentions." in name and tensor.ndim == 4 and tensor.shape[2:] == (1, 1)
    return tensor[:, :, 0, 0] if is_convolution else tensor
