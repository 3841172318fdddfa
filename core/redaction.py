"""Takes from a text every secret that this process holds, however it is escaped."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from cachetools import LRUCache
from pydantic import SecretStr

_HIDDEN = "•••"
_SHORTEST = 6  # characters; what is shorter stands in too many innocent words
_SHORTEST_ENCODED = 12  # characters of base64, as above
_MOST = 500  # secrets that are known besides those of the environment
_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_ADDRESSES = ("DATABASE_URL", "DB_URL", "_PROXY")  # in which a password may stand

# Vendors let their keys begin with what secret scanners look for. Each is hidden whoever has it.
_PATTERNS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"xox[a-z](?:\.xox[a-z])?-[\w-]{6,}|xapp-[\w-]{6,}"  # Slack
    r"|sk-[\w-]{12,}|sk_(?:live|test)_\w{12,}|sess-\w{20,}"  # OpenAI, Anthropic, OpenRouter, …
    r"|AIza[\w-]{30,}|AQ\.[\w-]{30,}|ya29\.[\w.-]{20,}"  # Google
    r"|gsk_\w{20,}|hf_\w{20,}|xai-\w{20,}|pplx-\w{20,}|nvapi-[\w-]{20,}|r8_\w{20,}|csk-\w{20,}"
    r"|fw_\w{16,}|tgp_v1_[\w-]{20,}|jina_\w{20,}|pa-[\w-]{30,}"
    r"|gh[oprsu]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{16}"
    r"|[MNO][\w-]{22,28}\.[\w-]{6}\.[\w-]{27,}"  # Discord's bot tokens
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"  # JSON web tokens
    r")"
    r"|(?<=hooks\.slack\.com/)[\w/-]{16,}"  # what is spoken to without any other token
    r"|(?<=/webhooks/)\d{5,}/[\w-]{16,}|(?<=/interactions/)\d{5,}/[\w-]{16,}"
    r"|(?:(?<=[?&]code=)|(?<=[?&]state=)|(?<=[?&]token=)|(?<=[?&]ticket=))[^\s&\"'#]{8,}"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # of an address
    r"|(?i:(?<=bearer )|(?<=basic )|(?<=bot ))[\w.~+/=-]{16,}"
)


class Secrets:
    """What this process holds; the one of each process is `HELD`."""

    def __init__(self) -> None:
        self._lasting = dict[str, None]()
        self._passing = LRUCache[str, list[str]](_MOST)

    def hold_environment(self, variables: Mapping[str, SecretStr]) -> None:
        """Know the values of variables that are named like secrets."""
        for name, value in variables.items():
            if name.upper().endswith(_ADDRESSES):
                self.hold_for_good(_passwords(value.get_secret_value()))
            elif name.upper().endswith(_SECRET_NAMES):
                self.hold_for_good(_parts(value.get_secret_value()))

    def hold_for_good(self, secrets: Iterable[str]) -> None:
        """Know these until the process ends."""
        for secret in secrets:
            self._lasting.update(dict.fromkeys(_shapes(secret)))

    def hold(self, secret: str) -> None:
        """Know this one, as long as there are not too many newer ones."""
        self._passing[secret] = self._passing.get(secret) or _shapes(secret)

    def hidden(self, text: str) -> str:
        """The text without any of them, and without what looks like one."""
        found = {shape for shape in self._lasting if shape in text}
        found |= {shape for shapes in self._passing.values() for shape in shapes if shape in text}
        for shape in sorted(found, key=len, reverse=True):
            text = text.replace(shape, _HIDDEN)
        return _PATTERNS.sub(_HIDDEN, text)


HELD = Secrets()


def _parts(value: str) -> list[str]:
    """The value, each of several keys in it, and the passwords where it is an address."""
    several = [each.strip() for each in value.split(",")]
    return [value, *(several if "://" not in value else _passwords(value))]


def _passwords(address: str) -> list[str]:
    """The passwords in it, and the whole of it where there are any, or where it is malformed."""
    try:
        split = urlsplit(address)
        found = [split.password or ""]
    except ValueError:
        return [address]
    found += [value for name, value in parse_qsl(split.query) if name.lower().endswith("password")]
    if not any(found):
        return [] if "@" not in address else [address]
    return [address, *found, *map(unquote, found)]


def _shapes(secret: str) -> list[str]:
    """The secret as it may stand in a text: as it is, or escaped as texts usually are."""
    if len(secret) < _SHORTEST:
        return []
    once = json.dumps(secret)[1:-1]
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    quoted = [quote(secret), quote(secret, safe=""), quote_plus(secret)]
    shapes = {
        *(secret, once, plain, json.dumps(once)[1:-1], json.dumps(plain)[1:-1]),
        json.dumps(plain, ensure_ascii=False)[1:-1],
        *(repr(secret)[1:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1]),
        *(html.escape(secret), html.escape(secret, quote=False)),
        *(*quoted, *(each.replace("%", "%25") for each in quoted)),
        *(re.sub("%..", lambda found: found[0].lower(), each) for each in quoted),
        *(secret.encode().hex(), *_encoded(secret.encode())),
    }
    return sorted(shapes)


def _encoded(secret: bytes) -> list[str]:
    """What is in base64 of any text that contains the secret, wherever in it that begins."""
    found: list[str] = []
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + secret).decode().rstrip("=")
            whole = text[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
            found += [whole] if len(whole) >= _SHORTEST_ENCODED else []
    return found
