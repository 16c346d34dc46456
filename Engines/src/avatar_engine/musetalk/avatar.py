"""A prepared avatar: its idle pictures on disk, and in memory what is needed to put a face into each of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from .boxes import Box, read_boxes
from .layout import FACE_SIZE, LATENT_SHAPE, LayoutError, find, read_json
from .weights import read_tensors

T = TypeVar("T")

PICTURE_LIMIT = 3000
"""Idle pictures of one avatar, after the way back is left out; the engine protocol's ``idle_count``."""

SIDE_LIMIT = 2160
"""Pixels on each side of a picture; the engine protocol's."""


@dataclass(frozen=True)
class Patch:
    """A piece of a picture, BGR."""

    box: Box
    """Where it belongs in the picture; sides are even."""
    pixels: np.ndarray
    """uint8 ``[box.height, box.width, 3]``."""


@dataclass(frozen=True)
class Place:
    """Where and how a face is blended into one idle picture.

    Kept as Pillow's images, whose channels are taken as B, G, R: Pillow's arithmetic does not care.
    """

    face: Box
    """The face in the picture; the network's 256 x 256 are scaled to it."""
    patch: Box
    """What blending can change: where the mask is not zero. Even sides, inside the picture."""
    under: Image.Image
    """The idle picture inside ``patch``."""
    mask: Image.Image
    """0: the idle picture, 255: the face; of the size of ``patch``."""

    def blend(self, face: np.ndarray) -> Patch:
        """Puts a face (BGR, uint8, ``[256, 256, 3]``) over the idle picture."""
        scaled = Image.fromarray(face).resize((self.face.width, self.face.height), Image.Resampling.BILINEAR)
        over = self.under.copy()
        over.paste(scaled, (self.face.left - self.patch.left, self.face.top - self.patch.top))
        return Patch(self.patch, np.asarray(Image.composite(over, self.under, self.mask)))


class PreparedAvatar:
    """An avatar that MuseTalk's ``realtime_inference`` prepared. Reading it from several threads is safe."""

    def __init__(self, identifier: str, folder: Path, width: int, height: int, places: list[Place], latents: torch.Tensor) -> None:
        self.id = identifier
        self._kept: list[np.ndarray] = []
        self._folder = folder
        self.width = width
        """Pixels, even: of a picture with odd sides the last row or column is left out."""
        self.height = height
        self.places = places
        self.latents = latents
        """``[count, 8, 32, 32]``."""

    @property
    def count(self) -> int:
        """Idle pictures; played forth and back."""
        return len(self.places)

    @classmethod
    def load(cls, folder: Path, *, keeps_pictures: bool = False) -> PreparedAvatar:
        """Reads the folder, whose name is the avatar's id. Raises ``LayoutError``.

        - keeps_pictures: for engines that send whole pictures; takes width x height x 3 bytes for each.
        """
        folder = folder.resolve()
        read_json(folder, "avator_info.json")
        faces = read_boxes(folder, "coords.pkl")
        crops = read_boxes(folder, "mask_coords.pkl")
        latents = read_latents(folder)
        names = {path: _numbered(folder, path) for path in ("full_imgs", "mask")}
        counts = {
            "full_imgs": len(names["full_imgs"]),
            "mask": len(names["mask"]),
            "coords.pkl": len(faces),
            "mask_coords.pkl": len(crops),
            "latents.pt": len(latents),
        }
        count = counts["full_imgs"]
        for path, number in counts.items():
            if number != count:
                raise LayoutError(path, f"has {number} entries, but full_imgs has {count} pictures")
        # MuseTalk saves its pictures forth and then back. Ours are played so anyway: half is enough.
        if count % 2 == 0 and _is_palindrome(faces) and _is_palindrome(crops) and _is_palindrome_of_tensors(latents):
            count //= 2
        if count > PICTURE_LIMIT:
            raise LayoutError("full_imgs", f"has {count} pictures; at most {PICTURE_LIMIT} can be played")
        width, height = _size(folder, "full_imgs/" + names["full_imgs"][0])
        bounds = Box(0, 0, width & ~1, height & ~1)
        if not (16 <= bounds.width <= SIDE_LIMIT and 16 <= bounds.height <= SIDE_LIMIT):
            raise LayoutError("full_imgs", f"has pictures of {width} x {height}; sides of 16 to {SIDE_LIMIT} were expected")

        def place(index: int) -> Place:
            picture = "full_imgs/" + names["full_imgs"][index]
            return _place(folder, picture, (width, height), bounds, "mask/" + names["mask"][index], faces[index], crops[index])

        places = _in_parallel(place, count)
        avatar = cls(folder.name, folder, bounds.width, bounds.height, places, torch.cat(latents[:count]))
        if keeps_pictures:
            avatar._kept = _in_parallel(avatar.idle_picture, count)
        return avatar

    def idle_picture(self, index: int) -> np.ndarray:
        """The idle picture ``index``, BGR, uint8 ``[height, width, 3]``, read from disk. Raises ``IndexError``, ``LayoutError``."""
        if not 0 <= index < self.count:
            raise IndexError(f"avatar {self.id} has no idle picture {index}")
        name = _numbered(self._folder, "full_imgs")[index]
        image = _open(self._folder, "full_imgs/" + name, "RGB")
        if image.width < self.width or image.height < self.height:
            raise LayoutError("full_imgs/" + name, "has changed its size")
        return np.ascontiguousarray(np.asarray(image)[: self.height, : self.width, ::-1])

    def whole_picture(self, index: int, face: np.ndarray) -> np.ndarray:
        """The idle picture ``index`` with a face in it: what a patch over it shows."""
        picture = self._kept[index].copy() if self._kept else self.idle_picture(index)
        patch = self.places[index].blend(face)
        picture[patch.box.top : patch.box.bottom, patch.box.left : patch.box.right] = patch.pixels
        return picture


def _numbered(folder: Path, path: str) -> list[str]:
    place = find(folder, path)
    numbered = sorted((int(name[:-4]), name) for name in os.listdir(place) if name.endswith(".png") and name[:-4].isascii() and name[:-4].isdigit())
    if not numbered:
        raise LayoutError(path, "holds no picture")
    for wanted, (number, _name) in enumerate(numbered):
        if number != wanted:
            raise LayoutError(f"{path}/{wanted:08d}.png", "is missing")
    return [name for _number, name in numbered]


def _open(folder: Path, path: str, mode: str) -> Image.Image:
    place = find(folder, path)
    try:
        with Image.open(place, formats=["PNG"]) as image:
            if max(image.size) > 2 * SIDE_LIMIT:
                raise LayoutError(path, f"is {image.width} x {image.height}, larger than any picture that can be shown")
            return image.convert(mode)
    except LayoutError:
        raise
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, struct.error ... for damaged files.
        raise LayoutError(path, f"is no picture: {str(error)[:120]}") from error


def _size(folder: Path, path: str) -> tuple[int, int]:
    return _open(folder, path, "RGB").size


def read_latents(folder: Path) -> list[torch.Tensor]:
    """The latents of every picture, each ``[1, 8, 32, 32]``; raises ``LayoutError``."""
    path = "latents.pt"
    value = read_tensors(folder, path)
    if not isinstance(value, (list, tuple)) or not value:
        raise LayoutError(path, "holds no list of tensors")
    wanted = (1, *LATENT_SHAPE)
    for index, tensor in enumerate(value):
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != wanted or not tensor.is_floating_point():
            found = f"a tensor {list(tensor.shape)} of {tensor.dtype}" if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise LayoutError(path, f"has at {index} {found}; {list(wanted)} of floating point was expected")
        if not bool(torch.isfinite(tensor).all()):
            raise LayoutError(path, f"has at {index} numbers that are not finite")
    return [tensor.float() for tensor in value]


def _is_palindrome(items: list[Box]) -> bool:
    return items == items[::-1]


def _is_palindrome_of_tensors(items: list[torch.Tensor]) -> bool:
    return all(torch.equal(items[index], items[-1 - index]) for index in range(len(items) // 2))


def _place(
    folder: Path, picture: str, size: tuple[int, int], bounds: Box, mask_path: str, face: Box, crop: Box
) -> Place:
    image = _open(folder, picture, "RGB")
    if image.size != size:
        raise LayoutError(picture, f"is {image.width} x {image.height}, but the first picture is {size[0]} x {size[1]}")
    mask = _open(folder, mask_path, "L")
    if mask.size != (crop.width, crop.height):
        raise LayoutError(mask_path, f"is {mask.width} x {mask.height}, but its box in mask_coords.pkl is {crop.width} x {crop.height}")
    if face.width > 2 * SIDE_LIMIT or face.height > 2 * SIDE_LIMIT:
        raise LayoutError("coords.pkl", f"has a face of {face.width} x {face.height}")
    used = mask.getbbox()
    # A mask of nothing but zeros changes nothing; the smallest patch says so.
    changed = Box(*used).moved(crop.left, crop.top).intersection(bounds) if used else Box(0, 0, 0, 0)
    if changed.is_empty:
        changed = Box(0, 0, 2, 2)
    patch = changed.evened().intersection(bounds)
    blue_first = Image.fromarray(np.ascontiguousarray(np.asarray(image.crop(patch.as_tuple()))[:, :, ::-1]))
    return Place(face, patch, blue_first, mask.crop(patch.moved(-crop.left, -crop.top).as_tuple()))


def _in_parallel(work: Callable[[int], T], count: int) -> list[T]:
    # Pillow decodes without Python's lock.
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, range(count)))
