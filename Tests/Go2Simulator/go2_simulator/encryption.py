"""The encryption of the robot's signaling: con_notify's `data1`, the wrapped session key, and the envelopes."""
from __future__ import annotations

import base64
import json
import os
import random
import string

from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

STATIC_KEY = bytes.fromhex("e85682bd16549b008e04a6682bb3ebe3")
FILLER = string.ascii_letters + string.digits


class SignalingKeys:
    """The RSA key of one start of the robot, and the path that goes with it."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        digits = [random.randrange(10) for _ in range(5)]
        self.path = "/con_ing_" + "".join(str(digit) for digit in digits)
        tail = "".join(random.choice(FILLER) + "ABCDEFGHIJ"[digit] for digit in digits)
        public = self._key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._data1 = "".join(random.choices(FILLER, k=10)) + base64.b64encode(public).decode() + tail

    def notify_body(self, data2: int, as_text: bool, key: bytes | None) -> bytes:
        """The reply to con_notify; `key` encrypts data1 (None: in clear)."""
        data1 = self._data1
        if key is not None:
            nonce = os.urandom(12)
            sealed = AESGCM(key).encrypt(nonce, data1.encode(), None)
            data1 = base64.b64encode(sealed[:-16] + nonce + sealed[-16:]).decode()
        return base64.b64encode(json.dumps({"data1": data1, "data2": str(data2) if as_text else data2}).encode())

    def open_offer(self, body: bytes) -> tuple[bytes, bytes]:
        """The session key and the envelope of a con_ing body; raises ValueError when it is none."""
        try:
            outer = json.loads(body)
            key = self._key.decrypt(base64.b64decode(outer["data2"]), PKCS1v15())
            return key, decrypt_envelope(key, outer["data1"])
        except (KeyError, TypeError) as problem:
            raise ValueError(f"no con_ing body: {problem}") from problem


def decrypt_envelope(key: bytes, text: str | bytes) -> bytes:
    """AES-256-ECB with PKCS#7 padding, from base64."""
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    padded = decryptor.update(base64.b64decode(text)) + decryptor.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def encrypt_envelope(key: bytes, clear: bytes) -> bytes:
    """AES-256-ECB with PKCS#7 padding, as base64."""
    padder = padding.PKCS7(128).padder()
    padded = padder.update(clear) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize())
