"""``--check``: looks at every file of the weights and of an avatar, and says all that is missing or wrong at once."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .layout import AVATAR, WEIGHTS, LayoutError, Problem, find, read_json

NEEDED = ("torch", "diffusers", "transformers", "PIL")
"""What loading the files needs beyond the client library."""


@dataclass(frozen=True)
class Report:
    """What a check of one folder found."""

    folder: Path
    kind: str
    """``weights`` or ``avatar``."""
    problems: list[Problem]
    note: str
    """What is there, where nothing is wrong."""

    def as_json(self) -> dict[str, object]:
        """One entry of ``--check --json``."""
        return {
            "folder": str(self.folder),
            "kind": self.kind,
            "ok": not self.problems,
            "note": self.note,
            "problems": [problem.as_json() for problem in self.problems],
        }

    def as_text(self) -> str:
        """Lines for people."""
        head = f"{self.kind} in {self.folder}: "
        if not self.problems:
            return head + f"good ({self.note})"
        count = len(self.problems)
        lines = [head + f"{count} {'file is' if count == 1 else 'files are'} missing or wrong"]
        for problem in self.problems:
            lines += [f"  {problem.path} {problem.found}", f"      expected: {problem.expected}"]
        return "\n".join(lines)


def missing_packages() -> list[str]:
    """The packages that loading the files needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def check_weights(folder: Path) -> Report:
    """Looks at the weights' folder: every missing file, then whether each is what the others make of it."""
    problems = _missing(folder, WEIGHTS)
    note = ""
    if importable := missing_packages():
        problems.append(_packages_problem(importable))
    else:
        from . import weights

        try:
            hidden = weights.load_whisper_config(folder).d_model
        except LayoutError:
            hidden = None  # Said below; the UNet is then looked at by itself.
        steps: list[tuple[Callable[[Path], object], tuple[str, ...]]] = [
            (lambda place: weights.load_unet(place, hidden), (weights.UNET_CONFIG, weights.UNET)),
            (weights.load_vae, (weights.VAE_CONFIG, weights.VAE)),
            (weights.load_whisper, (weights.WHISPER_CONFIG, weights.WHISPER)),
            (weights.load_filters, (weights.WHISPER_CONFIG, weights.WHISPER_FILTERS)),
        ]
        numbers = []
        for load, files in steps:
            if not {problem.path for problem in problems} & set(files):
                numbers.append(_attempt(problems, load, folder))
            elif load is not weights.load_filters:
                _read_each(problems, folder, files)
        parts = sum(number for number in numbers if number)
        note = f"{parts / 1e6:.1f} million numbers"
    return Report(folder, "weights", _once(problems), note if not problems else "")


def check_avatar(folder: Path) -> Report:
    """Looks at a prepared avatar."""
    problems = _missing(folder, AVATAR)
    note = ""
    if importable := missing_packages():
        problems.append(_packages_problem(importable))
    elif problems:
        _read_avatar_files(problems, folder)
    else:
        from .avatar import PreparedAvatar

        try:
            avatar = PreparedAvatar.load(folder)
            largest = max((place.patch for place in avatar.places), key=lambda patch: patch.width * patch.height)
            note = (
                f"{avatar.count} pictures of {avatar.width} x {avatar.height}, patches up to {largest.width} x {largest.height}"
            )
        except LayoutError as error:
            problems.append(error.problem)
            _read_avatar_files(problems, folder)
    return Report(folder, "avatar", _once(problems), note)


def as_json(reports: list[Report]) -> str:
    """All reports as one JSON text."""
    return json.dumps({"ok": all(not report.problems for report in reports), "reports": [report.as_json() for report in reports]}, indent=2)


def _missing(folder: Path, table: dict[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    for path in table:
        try:
            find(folder, path)
        except LayoutError as error:
            problems.append(error.problem)
    return problems


def _attempt(problems: list[Problem], load: Callable[[Path], object], folder: Path) -> int:
    try:
        loaded = load(folder)
    except LayoutError as error:
        problems.append(error.problem)
        return 0
    parameters = getattr(loaded, "parameters", None)
    return sum(tensor.numel() for tensor in parameters()) if parameters else 0


def _read_each(problems: list[Problem], folder: Path, files: tuple[str, ...]) -> None:
    # One of the two is missing: say of the other at least whether it can be read.
    from .weights import read_tensors

    bad = {problem.path for problem in problems}
    for path in files:
        if path not in bad:
            _attempt(problems, lambda place, path=path: read_json(place, path) if path.endswith(".json") else read_tensors(place, path), folder)


def _read_avatar_files(problems: list[Problem], folder: Path) -> None:
    # Loading stops at the first wrong file; the others are read one by one, so that the operator mends all of them at once.
    from .avatar import read_latents
    from .boxes import read_boxes

    bad = {problem.path for problem in problems}
    readers: dict[str, Callable[[Path], object]] = {
        "avator_info.json": lambda place: read_json(place, "avator_info.json"),
        "coords.pkl": lambda place: read_boxes(place, "coords.pkl"),
        "mask_coords.pkl": lambda place: read_boxes(place, "mask_coords.pkl"),
        "latents.pt": read_latents,
    }
    for path, read in readers.items():
        if path not in bad:
            _attempt(problems, read, folder)


def _packages_problem(names: list[str]) -> Problem:
    return Problem("(Python)", f"lacks {', '.join(names)}", "the packages of Engines/requirements-musetalk.lock: scripts/setup musetalk")


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
