"""The command line: ``avatar-engine-musetalk``, or ``python -m avatar_engine.musetalk``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .checks import as_json, check_avatar, check_weights, missing_packages

if TYPE_CHECKING:
    from .engine import Settings

GOOD, BAD, USAGE = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """Every option, the library's own included."""
    from avatar_engine import add_arguments

    # The library's --check tries an engine; ours looks at files, so that one is called --try here.
    result = argparse.ArgumentParser(prog="avatar-engine-musetalk", description="MuseTalk 1.5 as an engine of AvatarStreamer", conflict_handler="resolve")
    add_arguments(result)
    files = result.add_argument_group("files")
    files.add_argument("--weights", type=Path, metavar="DIR", help="folder with musetalkV15/, sd-vae/ and whisper/")
    files.add_argument("--avatar", type=Path, metavar="DIR", action="append", default=[], help="a prepared avatar; may be given several times")
    files.add_argument("--avatars", type=Path, metavar="DIR", help="a folder of prepared avatars: each folder inside is one")
    network = result.add_argument_group("network")
    network.add_argument("--device", default="auto", help="auto, cuda, cuda:1, cpu (default: %(default)s: the first GPU, else the CPU)")
    network.add_argument(
        "--precision", choices=("auto", "float16", "bfloat16", "float32"), default="auto", help="(default: %(default)s: float16 on a GPU)"
    )
    network.add_argument("--fps", type=float, default=25, help="pictures a second: that of the avatars' videos (default: %(default)s)")
    network.add_argument("--batch", type=int, default=16, metavar="N", help="the largest batch, 1..32 (default: %(default)s)")
    network.add_argument("--first-batch", type=int, default=2, metavar="N", help="the batch with which an utterance begins (default: %(default)s)")
    network.add_argument(
        "--window-start-ms", type=int, default=-80, metavar="MS", help="where a picture's 200 ms of sound begin (default: %(default)s; some adapters use 0)"
    )
    network.add_argument("--context-ms", type=int, default=80, metavar="MS", help="sound to be known beyond the window (default: %(default)s)")
    network.add_argument(
        "--silence-dbfs", type=_level, default=-50.0, metavar="DB", help="peaks below it are silence, shown as idle pictures; off: never (default: %(default)s)"
    )
    network.add_argument("--whole-pictures", action="store_true", help="send whole pictures instead of patches of the mouth")
    network.add_argument("--threads", type=int, default=0, metavar="N", help="threads of the CPU for the network (default: torch's choice)")
    tools = result.add_argument_group("instead of running")
    tools.add_argument(
        "--check", type=Path, metavar="DIR", help="look at the weights in DIR, and at every --avatar, and name each file that is missing or wrong"
    )
    tools.add_argument("--benchmark", action="store_true", help="measure batches of 1..N, and how many avatars this device carries")
    tools.add_argument("--seconds", type=float, default=2.0, metavar="S", help="how long --benchmark measures each batch (default: %(default)s)")
    tools.add_argument("--try", dest="tries", action="store_true", help="open, draw and speak for two seconds without a server")
    tools.add_argument("--json", action="store_true", help="--check and --benchmark answer in JSON")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole program; returns its exit status: 0 good, 1 failed or refused, 2 wrong use."""
    given = parser()
    options = given.parse_args(arguments)
    if options.check is not None:
        return _check(options)
    if options.weights is None:
        return _misused(given, "--weights DIR is needed (see --check for what belongs there)")
    try:
        avatars = _avatars(options)
    except (OSError, ValueError) as error:
        return _misused(given, str(error))
    if not avatars and not options.benchmark:
        return _misused(given, "--avatar DIR or --avatars DIR is needed")
    if missing := missing_packages():
        return _misused(given, f"the packages {', '.join(missing)} are not installed: scripts/setup musetalk")
    if not 1 <= options.first_batch <= options.batch <= 32:
        return _misused(given, f"--first-batch {options.first_batch} and --batch {options.batch} are not 1..32, the first one the smaller")

    import torch

    from .engine import MuseTalkEngine, Settings
    from .speech import Hearing

    if options.threads > 0:
        torch.set_num_threads(options.threads)
    try:
        hearing = Hearing(options.window_start_ms, options.context_ms, options.silence_dbfs)
    except ValueError as error:
        return _misused(given, str(error))
    settings = Settings(
        weights=options.weights,
        avatars=tuple(avatars),
        device=options.device,
        precision=options.precision,
        fps=options.fps,
        hearing=hearing,
        largest_batch=options.batch,
        first_batch=options.first_batch,
        whole_pictures=options.whole_pictures,
    )
    if options.benchmark:
        return _benchmark(settings, options.seconds, options.json)
    from avatar_engine import run_arguments

    options.check = options.tries
    return run_arguments(MuseTalkEngine(settings), options)


def _check(options: argparse.Namespace) -> int:
    reports = [check_weights(options.check), *(check_avatar(folder) for folder in options.avatar)]
    print(as_json(reports) if options.json else "\n".join(report.as_text() for report in reports))
    return BAD if any(report.problems for report in reports) else GOOD


def _benchmark(settings: Settings, seconds: float, in_json: bool) -> int:
    from .avatar import PreparedAvatar
    from .benchmark import measure
    from .layout import LayoutError
    from .network import Device, FaceNetwork

    try:
        faces, sound = FaceNetwork.load(settings.weights, Device.choose(settings.device, settings.precision))
        avatar = PreparedAvatar.load(settings.avatars[0]) if settings.avatars else None
    except (LayoutError, ValueError) as error:
        print(f"avatar-engine-musetalk: {error}", file=sys.stderr)
        return BAD
    measured = measure(faces, sound, avatar, largest=settings.largest_batch, fps=settings.fps, seconds=seconds)
    print(measured.as_json() if in_json else measured.as_text())
    return GOOD


def _avatars(options: argparse.Namespace) -> list[Path]:
    folders = list(options.avatar)
    if options.avatars is not None:
        folders += sorted(folder for folder in options.avatars.iterdir() if folder.is_dir())
    names = [folder.resolve().name for folder in folders]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two avatars are called {', '.join(sorted(twice))}: the folder's name is the avatar's id")
    return folders


def _level(text: str) -> float | None:
    if text == "off":
        return None
    value = float(text)
    if not -120 <= value < 0:
        raise argparse.ArgumentTypeError(f"{text} is neither off nor -120..0 dB")
    return value


def _misused(given: argparse.ArgumentParser, reason: str) -> int:
    print(f"{given.prog}: {reason}", file=sys.stderr)
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
