"""Boxes and the reader of the pickled lists of boxes.

A pickle is a program. These files come from an operator's disk, often from somebody else's, so only the steps that build lists, tuples
and numbers are run: the byte code is walked first and refused if it holds anything else, and the two constructors that NumPy's integers
need are our own. No code of the file's choosing runs and no object of its choosing is made.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from dataclasses import dataclass
from pathlib import Path

from .layout import LayoutError, read_bytes

PICKLE_LIMIT = 4 * 1024 * 1024
"""Bytes of the largest list read; 3,000 boxes of NumPy integers have about 300 kB."""

COORDINATE_LIMIT = 1 << 16
"""Pixels; no box reaches further from the origin."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; ``right`` and ``bottom`` are the first column and row outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.width <= 0 or self.height <= 0

    def intersection(self, other: Box) -> Box:
        """What both hold; may be empty."""
        return Box(max(self.left, other.left), max(self.top, other.top), min(self.right, other.right), min(self.bottom, other.bottom))

    def moved(self, x: int, y: int) -> Box:
        """The same rectangle, ``x`` to the right and ``y`` down."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def evened(self) -> Box:
        """The smallest box around it whose sides are all even: colour is shared by two by two pixels in most formats."""
        return Box(self.left & ~1, self.top & ~1, (self.right + 1) & ~1, (self.bottom + 1) & ~1)

    def as_tuple(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom), as Pillow takes it."""
        return (self.left, self.top, self.right, self.bottom)


_ALLOWED = frozenset(
    "PROTO FRAME STOP MARK POP POP_MARK "
    "INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT NONE NEWTRUE NEWFALSE "
    "EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES "
    "PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET "
    "GLOBAL STACK_GLOBAL REDUCE BUILD".split()
)

_MEMO_LIMIT = 1 << 20


class _NumberType:
    """Stands for ``numpy.dtype`` in a pickle; knows integers and floats only."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        if code not in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"):
            raise pickle.UnpicklingError("a NumPy type that is no number")
        self.code = code
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("a NumPy type of unknown byte order")
        self.order = "<" if state[1] in ("|", "=") else state[1]


_FORMATS = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "f4": "f", "f8": "d"}


def _number(kind: object, content: object) -> int | float:
    """Stands for ``numpy.core.multiarray.scalar`` in a pickle."""
    if not isinstance(kind, _NumberType) or not isinstance(content, (bytes, str)):
        raise pickle.UnpicklingError("a NumPy scalar that is no number")
    raw = content if isinstance(content, bytes) else content.encode("latin-1")
    return struct.unpack(kind.order + _FORMATS[kind.code], raw)[0]


class _BoxUnpickler(pickle.Unpickler):
    _CONSTRUCTORS = {
        ("numpy", "dtype"): _NumberType,
        ("numpy.core.multiarray", "scalar"): _number,
        ("numpy._core.multiarray", "scalar"): _number,
        ("_codecs", "encode"): lambda text, _encoding: text.encode("latin-1"),
    }

    def find_class(self, module: str, name: str) -> object:
        constructor = self._CONSTRUCTORS.get((module, name))
        if constructor is None:
            raise pickle.UnpicklingError(f"it wants to run {module[:60]}.{name[:60]}")
        return constructor


def _walk(content: bytes) -> None:
    for opcode, argument, _position in pickletools.genops(content):
        if opcode.name not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds the step {opcode.name}, which no list of boxes needs")
        if opcode.name in ("PUT", "LONG_BINPUT") and not (isinstance(argument, int) and 0 <= argument < _MEMO_LIMIT):
            raise pickle.UnpicklingError("its memo is too large")


def unpickle_numbers(content: bytes) -> object:
    """Lists, tuples and numbers out of a pickle; raises ``pickle.UnpicklingError`` for anything else."""
    try:
        _walk(content)
        return _BoxUnpickler(io.BytesIO(content), encoding="latin-1").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # A damaged pickle raises nearly anything: ValueError, IndexError, AttributeError, struct.error ...
        raise pickle.UnpicklingError(f"it is damaged ({type(error).__name__}: {str(error)[:80]})") from error


def read_boxes(folder: Path, path: str) -> list[Box]:
    """The list of boxes at ``path``; raises ``LayoutError``."""
    content = read_bytes(folder, path, PICKLE_LIMIT)
    try:
        value = unpickle_numbers(content)
    except pickle.UnpicklingError as error:
        raise LayoutError(path, f"is refused: {error}") from error
    if not isinstance(value, (list, tuple)) or not value:
        raise LayoutError(path, "holds no list of boxes")
    return [_box(path, index, item) for index, item in enumerate(value)]


def _box(path: str, index: int, item: object) -> Box:
    if not isinstance(item, (list, tuple)) or len(item) != 4:
        raise LayoutError(path, f"has at {index} no box of four numbers")
    numbers = []
    for number in item:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not -COORDINATE_LIMIT <= number <= COORDINATE_LIMIT:
            raise LayoutError(path, f"has at {index} a coordinate that is no pixel")
        numbers.append(int(number))
    box = Box(*numbers)
    if box.is_empty:
        raise LayoutError(path, f"has at {index} an empty box: no face was found in that picture")
    return box
