"""What the command lines of all engines have in common."""
from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from .engine import Engine
from .runtime import EXIT_FAILED, EXIT_USAGE, Options, run_process

EPILOG = """\
The server starts an engine with AVATAR_ENGINE_ENDPOINT, AVATAR_ENGINE_NAME, AVATAR_ENGINE_TOKEN and, with CURVE,
AVATAR_ENGINE_SERVER_KEY in its environment; nothing else is needed then. AVATAR_ENGINE_SECRET_KEY_FILE names the file
with the engine's secret key. An engine that runs by itself is given --endpoint.
Exit status: 0 asked to end, 1 failed or refused for good, 2 wrong use.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that every engine has."""
    defaults = Options()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = parser.epilog or EPILOG
    group = parser.add_argument_group("connection")
    group.add_argument("--endpoint", metavar="URL", help="the server's engine endpoint, ipc://… or tcp://… (default: AVATAR_ENGINE_ENDPOINT)")
    group.add_argument("--server-key", metavar="KEY", help="CURVE: the server's public key, or a file with it (default: AVATAR_ENGINE_SERVER_KEY)")
    group.add_argument("--secret-key-file", metavar="FILE", help="CURVE: file with this engine's secret key, made by python -m avatar_engine.keys "
                       "(default: AVATAR_ENGINE_SECRET_KEY_FILE)")
    group.add_argument("--hang-timeout", metavar="SECONDS", type=_seconds, default=defaults.hang_timeout,
                       help="a single call of the engine that takes longer is hung, and pings are not answered any more; 0: never "
                       "(default: %(default)g)")
    group.add_argument("--silence-timeout", metavar="SECONDS", type=_seconds, default=defaults.silence_timeout,
                       help="connect anew when nothing was heard for so long (default: %(default)g)")
    group.add_argument("--queue", metavar="PICTURES", type=int, default=defaults.queue_limit,
                       help="pictures that may wait for credit in a session (default: %(default)d)")
    group.add_argument("--watch-stdin", choices=("auto", "always", "never"), default=defaults.watch_stdin,
                       help="end at end of file on standard input; auto: if the server started this process (default)")
    group = parser.add_argument_group("other")
    group.add_argument("--check", action="store_true",
                       help="try the engine without a server: open it, draw, speak for two seconds, say how fast; then exit")
    group.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info", help="(default: %(default)s)")


def run_arguments(engine: Engine, arguments: argparse.Namespace) -> int:
    """Runs an engine as its parsed command line says. Returns the exit status."""
    logging.basicConfig(stream=sys.stderr, level=arguments.log_level.upper(), format="%(levelname)s %(message)s")
    if arguments.check:
        from .check import check  # Here, so that `python -m avatar_engine.check` is not loaded twice.
        return check(engine)
    given = Options.from_environment()
    options = replace(
        given, endpoint=arguments.endpoint or given.endpoint, server_key=arguments.server_key or given.server_key,
        secret_key_file=arguments.secret_key_file or given.secret_key_file, hang_timeout=arguments.hang_timeout,
        silence_timeout=max(0.5, arguments.silence_timeout), queue_limit=arguments.queue, watch_stdin=arguments.watch_stdin)
    if not options.endpoint:
        print("where is the server? give --endpoint, or AVATAR_ENGINE_ENDPOINT in the environment", file=sys.stderr)
        return EXIT_USAGE
    if options.endpoint.startswith("tcp://") and not options.server_key:
        print("tcp:// needs CURVE: give --server-key and --secret-key-file", file=sys.stderr)
        return EXIT_USAGE
    return run_process(engine, options)


def main(make: Callable[[argparse.Namespace], Engine], parser: argparse.ArgumentParser,
         arguments: Sequence[str] | None = None) -> int:
    """A whole program: adds the common options, parses, makes the engine and runs it. Returns the exit status.

    `make` may raise ValueError or OSError: wrong use, said in one line.
    """
    add_arguments(parser)
    parsed = parser.parse_args(arguments)
    try:
        engine = make(parsed)
    except (ValueError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return EXIT_USAGE
    try:
        return run_arguments(engine, parsed)
    except KeyboardInterrupt:
        return EXIT_FAILED


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not 0..86400 seconds")
    return value
