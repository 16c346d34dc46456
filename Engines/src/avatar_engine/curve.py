"""CURVE keys: 40 characters of Z85, in a string or a file."""
from __future__ import annotations

import os

import zmq

#: A key in Z85.
KEY_LENGTH = 40


def read_key(text_or_file: str) -> bytes:
    """A public key, given as itself or as the file that holds it."""
    if os.path.isfile(text_or_file):
        with open(text_or_file, encoding="ascii") as file:
            text_or_file = file.read(1024)
    key = text_or_file.strip()
    if len(key) != KEY_LENGTH:
        raise ValueError(f"a CURVE key has {KEY_LENGTH} characters of Z85, not {len(key)}")
    return key.encode("ascii")


def read_secret_key(path: str | None) -> tuple[bytes, bytes]:
    """The public and the secret key of a file with the secret one. Without a file: a pair for this connection alone."""
    if path is None:
        return zmq.curve_keypair()
    if not os.path.isfile(path):
        raise ValueError(f"there is no secret key file {path}")
    secret = read_key(path)
    return zmq.curve_public(secret), secret
