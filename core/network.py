"""How this process reaches the network: through which proxies, and whose certificates it trusts.

The environment says it once for all libraries; none of them reads it by itself.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from core.errors import ConfigMistake

_SCHEMES = ("http", "https", "socks5", "socks5h")
_FOR_SOCKS = ("aiohttp_socks", "python_socks", "socksio")
_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# What is wrong with a certificate, as OpenSSL numbers it.
_CERTIFICATES: Mapping[int, str] = {
    **dict.fromkeys((9, 10), "is not valid now: set this machine's clock, or renew it there"),
    **dict.fromkeys(
        (18, 19, 20, 21),
        "comes from an authority that is not trusted: add it to what SSL_CERT_FILE names",
    ),
    **dict.fromkeys((62, 64), "is for another host"),
}
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")  # as OpenSSL looks for a certificate in a folder
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A proxy for addresses without TLS and one for those with it; None is no proxy.

    Hosts of `direct` are reached without. `bundles` are PEM files, and folders of them, with the
    authorities to trust instead of those of the system.
    """

    plain: str | None = None
    secure: str | None = None
    direct: str = ""
    bundles: tuple[str, ...] = ()

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
        return _trusting(self.bundles) if self.bundles else None

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


def why(error: BaseException) -> str:
    """Why nothing was reached, for the end of a sentence: never in the words of the error."""
    return distrust(error) or type(error).__name__


def distrust(error: BaseException) -> str:
    """What is wrong with a certificate, if it is that."""
    link: BaseException | None = error
    while link is not None:
        if code := getattr(link, "verify_code", None):  # of ssl's error, which others wrap
            return f"its certificate {_CERTIFICATES.get(code, 'proves nothing')}"
        link = link.__cause__ or link.__context__
    return ""


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
    bundles = _bundles(variables, mistakes)
    if mistakes:
        raise ConfigMistake("\n".join(dict.fromkeys(mistakes)))
    return Network(plain=proxies["http"], secure=proxies["https"], direct=direct, bundles=bundles)


def _set(variables: Mapping[str, str], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        for spelled in (name, name.upper()):
            if value := variables.get(spelled, "").strip():
                yield spelled, value


def _proxy(variables: Mapping[str, str], names: tuple[str, ...], mistakes: list[str]) -> str | None:
    for name, value in _set(variables, names):
        scheme, _, place = value.rpartition("://")
        given = f"{scheme.lower() or 'http'}://{place}"
        mistakes += _wrong(name, given)
        return given
    return None


def _wrong(name: str, proxy: str) -> Iterator[str]:
    """Says nothing of the proxy itself, which may hold a password."""
    if not _is_proxy(proxy):
        yield (
            f"{name} is no proxy that can be used: write http://host:port, https://host:port or "
            "socks5://host:port, with user:password@ before the host if it asks for that."
        )
    elif proxy.startswith("socks") and not all(map(find_spec, _FOR_SOCKS)):
        yield (
            f"{name} is a SOCKS proxy, and the packages for it are not installed: "
            "pip install aiohttp-socks 'httpx2[socks]', or all of requirements.txt."
        )


def _is_proxy(value: str) -> bool:
    try:
        split = urlsplit(value)
        return split.scheme in _SCHEMES and bool(split.hostname) and split.port != 0
    except ValueError:
        return False


def _bundles(variables: Mapping[str, str], mistakes: list[str]) -> tuple[str, ...]:
    """All that are set: some library would have read each of them."""
    found: list[str] = []
    for name in _BUNDLES:
        if value := variables.get(name, "").strip():
            there = [each for each in _listed(name, value) if _has_certificates(Path(each))]
            if not there:
                mistakes.append(
                    f"{name} names {value}, which holds no certificates that can be read: correct "
                    "it, or leave it out to trust the authorities of the system. In a folder they "
                    "need the names that `openssl rehash` gives them."
                )
            found += there
    return tuple(dict.fromkeys(found))


def _listed(name: str, value: str) -> list[str]:
    """As with OpenSSL, some folders of a list need not be there."""
    return value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value]


def _has_certificates(bundle: Path) -> bool:
    try:
        if bundle.is_dir():
            return any(map(_HASHED.fullmatch, os.listdir(bundle)))
        if str(bundle) == os.devnull:  # that is to say: nobody
            return True
        ssl.create_default_context(cafile=bundle)
    except OSError:  # ssl's own errors are of that kind
        return False
    return True


@cache
def _trusting(bundles: tuple[str, ...]) -> ssl.SSLContext:
    files = [each for each in bundles if Path(each).is_file()]
    folders = os.pathsep.join(each for each in bundles if each not in files)
    context = ssl.create_default_context(cafile=files[0] if files else None, capath=folders or None)
    for file in files[1:]:
        context.load_verify_locations(cafile=file)
    # From 3.13 on Python refuses what RFC 5280 wants of certificates and many companies' lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


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
