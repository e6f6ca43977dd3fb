"""The first login to a newly started MySQL server: caching_sha2_password without the `cryptography` package.

Until the server has cached an account, it needs the password, encrypted with the server's RSA key. `cryptography` would do this, but takes
11 MB in every service. This module implements RSA-OAEP (RFC 8017, SHA-1, no label) in plain Python; it runs once per login. Like the
driver, it does not verify the server's key.
"""

import base64
import hashlib
import os

import pymysql._auth

HASH_LENGTH = hashlib.sha1().digest_size


def use_own_encryption() -> None:
    """Make the driver encrypt passwords with `encrypt_password`."""
    pymysql._auth.sha2_rsa_encrypt = encrypt_password


def encrypt_password(password: bytes, salt: bytes, public_key: bytes) -> bytes:
    """Encrypt a password for the server. `public_key` is in PEM, as the server sends it."""
    scrambled = bytes(byte ^ salt[i % len(salt)] for i, byte in enumerate(password + b"\0"))
    modulus, exponent = _key(public_key)
    length = (modulus.bit_length() + 7) // 8
    block = _oaep(scrambled, length)
    return pow(int.from_bytes(block, "big"), exponent, modulus).to_bytes(length, "big")


def _oaep(message: bytes, length: int) -> bytes:
    """RFC 8017, 7.1.1: mask the message with a random seed, and the seed with the masked message."""
    padding = bytes(length - len(message) - 2 * HASH_LENGTH - 2)
    block = hashlib.sha1(b"").digest() + padding + b"\1" + message
    seed = os.urandom(HASH_LENGTH)
    masked_block = _xor(block, _mask(seed, len(block)))
    masked_seed = _xor(seed, _mask(masked_block, HASH_LENGTH))
    return b"\0" + masked_seed + masked_block


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-1."""
    rounds = -(-length // HASH_LENGTH)
    return b"".join(hashlib.sha1(seed + i.to_bytes(4, "big")).digest() for i in range(rounds))[:length]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _key(pem: bytes) -> tuple[int, int]:
    """Modulus and exponent of a SubjectPublicKeyInfo in PEM."""
    lines = [line for line in pem.splitlines() if not line.startswith(b"-----")]
    info = _value(base64.b64decode(b"".join(lines)))[0]
    _, rest = _value(info)  # the algorithm
    bits, _ = _value(rest)
    numbers, _ = _value(bits[1:])  # without the count of unused bits
    modulus, rest = _value(numbers)
    exponent, _ = _value(rest)
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _value(der: bytes) -> tuple[bytes, bytes]:
    """Returns the contents of the first DER value, and the bytes after it."""
    length, start = der[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[2 : 2 + count], "big"), 2 + count
    return der[start : start + length], der[start + length :]
