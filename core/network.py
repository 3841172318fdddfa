"""How this process reaches the network: through which proxies, and whose certificates it trusts.

The environment says it once for all libraries; none of them reads it by itself.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from core.errors import ConfigMistake

_SCHEMES = ("http", "https", "socks5", "socks5h")
_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A proxy for addresses without TLS and one for those with it; None is no proxy.

    Hosts of `direct` are reached without. `bundle` is a PEM file, or a folder of them, instead of
    the authorities of the system.
    """

    plain: str | None = None
    secure: str | None = None
    direct: str = ""
    bundle: str | None = None

    def proxy_for(self, url: str) -> str | None:
        """The proxy through which this address is reached."""
        split = urlsplit(url)
        is_secure = split.scheme in {"https", "wss"}
        proxy = self.secure if is_secure else self.plain
        if proxy is None or not split.hostname or self._is_direct(split):
            return None
        return proxy

    def authorities(self) -> ssl.SSLContext | None:
        """Whom to trust, where that is not the system's choice."""
        return _trusting(self.bundle) if self.bundle else None

    def _is_direct(self, split: SplitResult) -> bool:
        host = split.hostname or ""
        port = split.port or _PORTS.get(split.scheme, 0)
        return any(_is_named(each.strip().lower(), host, port) for each in self.direct.split(","))


class _Used:
    """What is used in this process."""

    network = Network()


def used() -> Network:
    """How this process reaches the network."""
    return _Used.network


def use(network: Network) -> None:
    """Let whoever connects from now on do it in this way."""
    _Used.network = network


def read(variables: Mapping[str, str]) -> Network:
    """What the variables say; an empty one says nothing, and small letters come first.

    Raises:
        ConfigMistake: a proxy that cannot be understood, or certificates that cannot be read.
    """
    mistakes: list[str] = []
    proxies = {
        name: _proxy(variables, (f"{name}_proxy", "all_proxy"), mistakes)
        for name in ("http", "https")
    }
    direct = next(_set(variables, ("no_proxy",)), ("", ""))[1]
    bundle = _bundle(variables, mistakes)
    if mistakes:
        raise ConfigMistake("\n".join(dict.fromkeys(mistakes)))
    return Network(plain=proxies["http"], secure=proxies["https"], direct=direct, bundle=bundle)


def _set(variables: Mapping[str, str], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        for spelled in (name, name.upper()):
            if value := variables.get(spelled, "").strip():
                yield spelled, value


def _proxy(variables: Mapping[str, str], names: tuple[str, ...], mistakes: list[str]) -> str | None:
    for name, value in _set(variables, names):
        given = value if "://" in value else f"http://{value}"
        if _is_proxy(given):
            return given
        mistakes.append(  # without the value, which may hold a password
            f"{name} is no proxy that can be used: write http://host:port, https://host:port or "
            "socks5://host:port, with user:password@ before the host if it asks for that."
        )
        return None
    return None


def _is_proxy(value: str) -> bool:
    try:
        split = urlsplit(value)
        return split.scheme in _SCHEMES and bool(split.hostname) and split.port != 0
    except ValueError:
        return False


def _bundle(variables: Mapping[str, str], mistakes: list[str]) -> str | None:
    """All that are set have to be there: some library would have read each of them."""
    found: list[str] = []
    for name in _BUNDLES:
        if value := variables.get(name, "").strip():
            found.append(value)
            try:
                _trusting(value)
            except OSError:
                mistakes.append(
                    f"{name} names {value}, which holds no certificates that can be read: correct "
                    "it, or leave it out to trust the authorities of the system."
                )
    return found[0] if found else None


@cache
def _trusting(bundle: str) -> ssl.SSLContext:
    if not Path(bundle).exists():
        raise FileNotFoundError(bundle)
    if Path(bundle).is_file():
        return ssl.create_default_context(cafile=bundle)
    return ssl.create_default_context(capath=bundle)


def _is_named(entry: str, host: str, port: int) -> bool:
    """By `*`, a domain with all below it, an address, or a network; perhaps with a port."""
    try:
        if "/" in entry:
            return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
    if entry.endswith(f":{port}") and entry.count(":") == 1:
        entry = entry.removesuffix(f":{port}")
    name = entry.removeprefix("*").removeprefix(".").strip("[]")
    return entry == "*" or (bool(name) and (host == name or host.endswith(f".{name}")))
