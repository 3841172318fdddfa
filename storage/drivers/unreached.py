"""Why a server was not reached, with its host and port: its name, its silence, or TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

from tortoise.exceptions import DBConnectionError

from storage.drivers.connecting import REFUSES_TLS, PoolerBetween, chain
from storage.drivers.transaction import translate
from storage.drivers.url import DatabaseUrl
from storage.errors import DatabaseUnusable, StorageError, Unreached

# As OpenSSL numbers what is wrong with a certificate.
_CERTIFICATES: Mapping[int, str] = {
    **dict.fromkeys((9, 10), "is not valid now: renew it, or set this machine's clock"),
    **dict.fromkeys((18, 19, 20, 21), "comes from an authority that is not trusted: name it by {}"),
    **dict.fromkeys((62, 64), "is for another host: write the host that stands in it"),
}
_ROOT = {"postgres": "sslrootcert", "mysql": "ssl-ca"}
_NO_TLS = (
    "has no TLS, or none that both sides know: turn it on there, or leave its options out of "
    "DATABASE_URL where the network between is trusted"
)


def unreached(error: BaseException, url: DatabaseUrl) -> StorageError:
    """What to say when a database could not be opened."""
    for link in chain(error):
        if isinstance(link, OSError) and not isinstance(link, DBConnectionError) and url.place:
            return _of_network(link, url)
    return translate(error)


def _of_network(error: OSError, url: DatabaseUrl) -> StorageError:
    kind: type[StorageError] = Unreached
    match error:
        case PoolerBetween():
            what = "is a pooler now: start again, or add ?pgbouncer=true"
        case ssl.SSLError():
            kind, what = DatabaseUnusable, _of_tls(error, url)
        case socket.gaierror():
            what = f"has a name that is not found: check {url.credentials['host']}, and DNS"
        case TimeoutError():
            what = "gives no answer in time; check its address and the firewalls between"
        case ConnectionRefusedError() | FileNotFoundError():
            what = "cannot be reached: nothing listens there; check the address, and that it runs"
        case _ if REFUSES_TLS in str(error):
            kind, what = DatabaseUnusable, _NO_TLS
        case _:
            what = "cannot be reached; check that it runs"
    return kind(f"The database server at {url.place} {what}.")


def _of_tls(error: ssl.SSLError, url: DatabaseUrl) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return _NO_TLS
    what = _CERTIFICATES.get(error.verify_code, "does not prove who it is: correct it")
    return f"has a certificate that {what.format(_ROOT[url.dialect])}"
