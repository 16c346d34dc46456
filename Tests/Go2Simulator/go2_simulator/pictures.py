"""The camera's test picture: a moving bar, a flash each second, and a frame counter that survives encoding.

Layout, for a picture of W x H (all sizes in units of W / 32, the cell):
- the counter: 16 cells in one row, cell i at x = (8 + i), y = 1, most significant bit first, white (235) is 1, black (16) is 0;
  left of it (x = 6) a white cell and right of it (x = 25) a black cell, to check where the counter lies;
- the flash: the square of 4 x 4 cells at x = 27, y = 3; white during the first picture of each second, black otherwise;
- the bar: one cell wide over the lower half, moving right by a quarter of a cell a picture, on grain that changes from picture to picture, so that
  the stream has the size of a camera's.
"""
from __future__ import annotations

import numpy as np

BITS = 16
WHITE, BLACK = 235, 16


def luma(counter: int, width: int, height: int, fps: int) -> np.ndarray:
    """The brightness of one picture, height x width bytes."""
    cell = width // 32
    picture = np.empty((height, width), np.uint8)
    picture[:] = np.linspace(60, 190, width, dtype=np.uint8)
    picture[0 : 3 * cell, 5 * cell : 27 * cell] = BLACK
    picture[cell : 2 * cell, 6 * cell : 7 * cell] = WHITE
    for bit in range(BITS):
        if counter >> (BITS - 1 - bit) & 1:
            picture[cell : 2 * cell, (8 + bit) * cell : (9 + bit) * cell] = WHITE
    picture[3 * cell : 7 * cell, 27 * cell : 31 * cell] = WHITE if counter % fps == 0 else BLACK
    picture[height // 2 :] += _grain(counter, width, height - height // 2)
    bar = counter * cell // 4 % (width - cell)
    picture[height // 2 :, bar : bar + cell] = WHITE
    return picture


def _grain(counter: int, width: int, height: int) -> np.ndarray:
    """Blocks of 8 x 8 whose brightness differs from picture to picture, the same in every run."""
    blocks = np.random.default_rng(counter).integers(0, 40, (height // 8 + 1, width // 8 + 1), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8), np.uint8))[:height, :width]


def read_counter(picture: np.ndarray) -> int | None:
    """The counter of a decoded picture's brightness (any size in the same proportions); None where there is no counter."""
    cell = picture.shape[1] / 32

    def brightness(column: int) -> float:
        x, y, half = int((column + 0.5) * cell), int(1.5 * cell), max(1, int(cell / 4))
        return float(picture[y - half : y + half, x - half : x + half].mean())

    if brightness(6) < 180 or brightness(25) > 70:
        return None
    return sum((brightness(8 + bit) > 125) << (BITS - 1 - bit) for bit in range(BITS))


def flashes(picture: np.ndarray) -> bool:
    """Whether the flash is on."""
    cell = picture.shape[1] / 32
    return float(picture[int(4 * cell) : int(6 * cell), int(28 * cell) : int(30 * cell)].mean()) > 125
