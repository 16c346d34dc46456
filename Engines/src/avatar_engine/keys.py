"""`python -m avatar_engine.keys FILE`: makes a CURVE key pair."""
from __future__ import annotations

import argparse
import os
import sys

import zmq


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_engine.keys",
        description="Make a CURVE key pair: the secret key goes into FILE (mode 0600), the public key to standard output.")
    parser.add_argument("file", help="where the secret key goes; must not exist")
    options = parser.parse_args(arguments)
    public, secret = zmq.curve_keypair()
    try:
        descriptor = os.open(options.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        print(f"{options.file}: {error.strerror}", file=sys.stderr)
        return 1
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret + b"\n")
    print(public.decode("ascii"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
