"""The files of MuseTalk 1.5 and of a prepared avatar: their names, what each must hold, and how a wrong one is reported.

Imports nothing heavy, so that ``--check`` can name missing files on a machine without torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

JSON_LIMIT = 4 * 1024 * 1024
"""Bytes of the largest configuration file read. Whisper's, with its filter bank written out, has 185 kB."""

FEATURES_PER_SECOND = 50
"""Whisper's encoder gives one feature for 320 samples at 16 kHz."""

FEATURES_PER_PICTURE = 10
"""Features that the network hears for one picture: 200 ms."""

LATENT_SHAPE = (8, 32, 32)
"""Channels 0-3: the face with its lower half masked; 4-7: the same face whole, as reference. 32 = 256 pixels / 8."""

FACE_SIZE = 256
"""Pixels on each side of the face that the network makes."""


@dataclass(frozen=True)
class Problem:
    """One file that is missing or wrong."""

    path: str
    """Relative to the folder that was checked."""
    found: str
    """What is wrong, as the end of a sentence: "is missing", "is no JSON object: ..."."""
    expected: str
    """What belongs there, and where it comes from."""

    def as_json(self) -> dict[str, str]:
        """The members of ``--check --json``."""
        return {"path": self.path, "found": self.found, "expected": self.expected}


class LayoutError(Exception):
    """A file of the layout cannot be used."""

    def __init__(self, path: str, found: str) -> None:
        super().__init__(f"{path}: {found}")
        self.problem = Problem(path, found, expectation(path))


WEIGHTS: dict[str, str] = {
    "musetalkV15/unet.pth": (
        "the weights of MuseTalk 1.5's UNet: a state dictionary saved by torch, about 3.4 GB (TMElyralab/MuseTalk)"
    ),
    "musetalkV15/musetalk.json": (
        "the UNet's configuration: 8 channels in, 4 out, cross_attention_dim equal to Whisper's d_model (TMElyralab/MuseTalk)"
    ),
    "sd-vae/config.json": "the configuration of the image decoder, an AutoencoderKL with 4 latent channels (stabilityai/sd-vae-ft-mse)",
    "sd-vae/diffusion_pytorch_model.bin": (
        "the weights of the image decoder: a state dictionary saved by torch, about 335 MB (stabilityai/sd-vae-ft-mse)"
    ),
    "whisper/config.json": "the configuration of Whisper tiny: 4 encoder layers (openai/whisper-tiny)",
    "whisper/pytorch_model.bin": "the weights of Whisper tiny: a state dictionary saved by torch, about 151 MB (openai/whisper-tiny)",
    "whisper/preprocessor_config.json": (
        "the configuration of Whisper's log-mel filters: 16 kHz, a window of 400, a step of 160 samples (openai/whisper-tiny)"
    ),
}
"""The files of the weights' folder, in the order in which they are loaded, and what each is."""

AVATAR: dict[str, str] = {
    "avator_info.json": "a JSON object that MuseTalk's realtime_inference wrote (the name is spelt so there)",
    "coords.pkl": "a pickled list with the face's box (x1, y1, x2, y2) for every picture",
    "mask_coords.pkl": "a pickled list with the blended box (x1, y1, x2, y2) around the face for every picture",
    "latents.pt": "a list of tensors [1, 8, 32, 32] saved by torch, one for every picture",
    "full_imgs": "the pictures of the idle motion, 00000000.png, 00000001.png and so on, all of one size",
    "mask": "the blending masks, one for every picture, each of the size of its blended box",
}
"""The files and folders of a prepared avatar, and what each is."""


def expectation(path: str) -> str:
    """What belongs at ``path``; pictures are described by their folder."""
    for table in (WEIGHTS, AVATAR):
        for name, text in table.items():
            if path == name or path.startswith(name + "/"):
                return text
    return "a file of MuseTalk 1.5"


def find(folder: Path, path: str) -> Path:
    """The file or folder at ``path`` inside ``folder``; raises ``LayoutError`` where it is missing, empty or the wrong kind."""
    place = folder / path
    wants_folder = path in ("full_imgs", "mask")
    if not place.exists():
        raise LayoutError(path, "is missing")
    if wants_folder != place.is_dir():
        raise LayoutError(path, "is a file, not a folder" if wants_folder else "is a folder, not a file")
    try:
        if not wants_folder and place.stat().st_size == 0:
            raise LayoutError(path, "is empty")
    except OSError as error:
        raise LayoutError(path, f"cannot be read: {error.strerror}") from error
    return place


def read_bytes(folder: Path, path: str, limit: int) -> bytes:
    """The content of a small file of at most ``limit`` bytes."""
    place = find(folder, path)
    try:
        with place.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise LayoutError(path, f"cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise LayoutError(path, f"is larger than {limit} bytes")
    return content


def read_json(folder: Path, path: str) -> dict:
    """The JSON object at ``path``."""
    content = read_bytes(folder, path, JSON_LIMIT)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise LayoutError(path, f"is no JSON: {str(error)[:120]}") from error
    if not isinstance(value, dict):
        raise LayoutError(path, f"is no JSON object but {type(value).__name__}")
    return value


def expect_value(path: str, config: dict, key: str, wanted: object) -> None:
    """Raises ``LayoutError`` unless ``config[key]`` is ``wanted``."""
    if key not in config:
        raise LayoutError(path, f"has no {key}; {wanted} was expected")
    if config[key] != wanted:
        raise LayoutError(path, f"has {key} {str(config[key])[:60]}; {wanted} was expected")


def expect_integer(path: str, config: dict, key: str, low: int, high: int) -> int:
    """``config[key]`` where it is an integer of ``low...high``; raises ``LayoutError`` where it is not."""
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise LayoutError(path, f"has {key} {str(value)[:60]}; an integer from {low} to {high} was expected")
    return value
