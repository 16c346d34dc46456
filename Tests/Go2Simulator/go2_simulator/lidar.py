"""Voxel maps as the LiDAR sends them: occupancy bits, LZ4, and the two layouts of binary messages."""
from __future__ import annotations

import struct

import lz4.block
import numpy as np

TOPIC = "rt/utlidar/voxel_map_compressed"
WIDTH, DEPTH, SLICES = 128, 128, 38
RESOLUTION = 0.05
SOURCE_BYTES = WIDTH * DEPTH * SLICES // 8


def scene(name: str, step: int) -> np.ndarray:
    """The occupancy of a scene, indexed [z, y, x]; `step` moves what moves."""
    grid = np.zeros((SLICES, DEPTH, WIDTH), bool)
    if name == "wall":
        grid[4 : 4 + 16, 64, 32 : 32 + 64] = True
        return grid
    grid[2, 16:112, 16:112] = True
    for wall in (16, 111):
        grid[2:30, wall, 16:112] = True
        grid[2:30, 16:112, wall] = True
    x = 24 + step * 2 % 80
    grid[3:15, 56:64, x : x + 8] = True
    return grid


def points_of(grid: np.ndarray, origin: tuple[float, float, float]) -> np.ndarray:
    """The world coordinates of the occupied voxels, for tests to compare with."""
    z, y, x = np.nonzero(grid)
    return np.column_stack([x, y, z]) * RESOLUTION + np.array(origin)


def compress(grid: np.ndarray) -> bytes:
    """The bits, most significant first along x, as one raw LZ4 block."""
    bits = np.packbits(grid.reshape(-1), bitorder="big").tobytes()
    assert len(bits) == SOURCE_BYTES
    return lz4.block.compress(bits, store_size=False)


def header(stamp: float, origin: tuple[float, float, float]) -> bytes:
    """The JSON in front of the payload, floats printed as C does."""
    place = ",".join(f"{one:.6f}" for one in origin)
    return (f'{{"type":"msg","topic":"{TOPIC}","data":{{"stamp":{stamp:.6e},"frame_id":"odom","resolution":{RESOLUTION:.6f},'
            f'"src_size":{SOURCE_BYTES},"origin":[{place}],"width":[{WIDTH},{DEPTH},{SLICES}]}}}}').encode()


def message_a(head: bytes, payload: bytes) -> bytes:
    """Layout A: u16 length of the JSON, u16 0, JSON, payload."""
    return struct.pack("<HH", len(head), 0) + head + payload


def message_b(head: bytes, payload: bytes) -> bytes:
    """Layout B: u16 2, u16 0, u32 length of the JSON, 4 bytes of padding, JSON at offset 12, payload."""
    return struct.pack("<HHI4x", 2, 0, len(head)) + head + payload


class Lidar:
    """Makes the frames, one after the other; the compressed scenes are kept."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, int], bytes] = {}
        self._step = 0

    def frame(self, name: str, layout: str, stamp: float, position: list[float]) -> bytes:
        """The next frame; layout "both" alternates."""
        step = self._step % 40 if name == "room" else 0
        self._step += 1
        payload = self._frames.get((name, step))
        if payload is None:
            payload = self._frames[name, step] = compress(scene(name, step))
        snapped = [round(one / RESOLUTION) * RESOLUTION for one in position]
        head = header(stamp, (snapped[0] - WIDTH * RESOLUTION / 2, snapped[1] - DEPTH * RESOLUTION / 2, -0.575))
        if layout == "a" or (layout == "both" and self._step % 2):
            return message_a(head, payload)
        return message_b(head, payload)
