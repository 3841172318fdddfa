"""Encrypts and signs: tokens of workspaces in the database, and states of installations."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from core.errors import ConfigMistake
from core.lazy import lazy

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet


class Broken(Exception):
    """What is to be opened was not sealed with any of the keys, or too long ago."""


class Seal:
    """Encrypts with the first key and decrypts with any, so that one key can follow another.

    Fernet: AES in CBC mode with an HMAC, and the time (https://github.com/fernet/spec).
    """

    def __init__(self, secrets: Sequence[str], purpose: str) -> None:
        """What is sealed for one purpose opens for no other. At least one secret."""
        made: list[Fernet] = [_fernet(secret, purpose) for secret in secrets]
        several: type[MultiFernet] = lazy("cryptography.fernet", "MultiFernet")
        self._newest, self._all = made[0], several(made)

    def seal(self, content: bytes, now: datetime) -> str:
        """Letters, digits, `-` and `_`."""
        sealed = self._newest.encrypt_at_time(content, int(now.timestamp()))
        return sealed.decode().rstrip("=")

    def open(self, sealed: str, now: datetime, seconds: int | None = None) -> bytes:
        """What was sealed, by whichever key; not longer than so many seconds ago.

        Raises:
            Broken: it was not.
        """
        return _opened(self._all, sealed, now, seconds)

    def is_newest(self, sealed: str, now: datetime) -> bool:
        """Whether the first key sealed it."""
        try:
            _opened(self._newest, sealed, now, None)
        except Broken:
            return False
        return True


def seal_of(secret: str | None) -> Seal | None:
    """The seal of MOORINGS_SECRET_KEY: one key, or several with commas between."""
    return Seal(keys(secret), "installed workspaces") if secret else None


def keys(secret: str) -> list[str]:
    """The keys of MOORINGS_SECRET_KEY, the newest first."""
    return [key for each in secret.split(",") if (key := each.strip())]


def unreadable(what: str, *, has_key: bool) -> ConfigMistake:
    """What to do where something cannot be opened."""
    if has_key:
        return ConfigMistake(
            f"{what} cannot be read with MOORINGS_SECRET_KEY: add the key that it was written "
            "with behind the present one, with a comma between."
        )
    return ConfigMistake(f"{what} cannot be read: set MOORINGS_SECRET_KEY, as it was before.")


def _opened(fernet: Fernet | MultiFernet, sealed: str, now: datetime, seconds: int | None) -> bytes:
    invalid: type[Exception] = lazy("cryptography.fernet", "InvalidToken")
    padded = sealed + "=" * (-len(sealed) % 4)
    try:
        if seconds is None:
            return fernet.decrypt(padded)
        return fernet.decrypt_at_time(padded, seconds, int(now.timestamp()))
    except (invalid, ValueError) as error:
        raise Broken from error


def _fernet(secret: str, purpose: str) -> Fernet:
    """A key of its own for each purpose (HKDF, RFC 5869): secrets need to be random, not formed."""
    fernet: type[Fernet] = lazy("cryptography.fernet", "Fernet")
    derive = lazy("cryptography.hazmat.primitives.kdf.hkdf", "HKDF")
    sha256 = lazy("cryptography.hazmat.primitives.hashes", "SHA256")
    key: bytes = derive(algorithm=sha256(), length=32, salt=None, info=purpose.encode()).derive(
        secret.encode()
    )
    return fernet(base64.urlsafe_b64encode(key))
