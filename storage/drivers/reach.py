"""Why a server was not reached, with its host and port: its name, its silence, or TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

from tortoise.exceptions import DBConnectionError

from storage.drivers.connecting import PoolerBetween, chain
from storage.drivers.transaction import translate
from storage.drivers.url import DatabaseUrl
from storage.errors import DatabaseBusy, DatabaseUnusable, StorageError

# As OpenSSL numbers what is wrong with a certificate.
_CERTIFICATES: Mapping[int, str] = {
    **dict.fromkeys((9, 10), "is not valid now: renew it, or set this machine's clock"),
    **dict.fromkeys((18, 19, 20, 21), "comes from an authority that is not trusted: name it by {}"),
    **dict.fromkeys((62, 64), "is for another host: write the host that stands in it"),
}
_ROOT = {"postgres": "sslrootcert", "mysql": "ssl-ca"}
_NO_TLS = "rejected SSL upgrade"  # asyncpg has no type of its own for it


def unreached(error: BaseException, url: DatabaseUrl) -> StorageError:
    """What to say when a database could not be opened."""
    for link in chain(error):
        if isinstance(link, OSError) and not isinstance(link, DBConnectionError) and url.place:
            return _of_network(link, url)
    return translate(error)


def _of_network(error: OSError, url: DatabaseUrl) -> StorageError:
    place = f"The database server at {url.place}"
    match error:
        case PoolerBetween():
            return DatabaseBusy(f"{place} is a pooler now: start again, or add ?pgbouncer=true.")
        case ssl.SSLCertVerificationError():
            what = _CERTIFICATES.get(error.verify_code, "does not prove who it is: correct it")
            root = _ROOT[url.dialect]
            return DatabaseUnusable(f"{place} has a certificate that {what.format(root)}.")
        case ssl.SSLError():
            return DatabaseUnusable(
                f"{place} speaks no TLS, or none that both sides know: turn it on there, or take "
                "its options out of DATABASE_URL where the network between is trusted."
            )
        case socket.gaierror():
            host = url.credentials["host"]
            return DatabaseBusy(f"{place} has a name that is not found: check {host}, and DNS.")
        case TimeoutError():
            return DatabaseBusy(
                f"{place} gives no answer in time; check its address and the firewalls between."
            )
        case ConnectionRefusedError() | FileNotFoundError():
            return DatabaseBusy(
                f"{place} cannot be reached: nothing listens there; check the address, and that "
                "it runs."
            )
        case _ if _NO_TLS in str(error):
            return DatabaseUnusable(
                f"{place} has no TLS: turn it on there, or write sslmode=disable where the "
                "network between is trusted."
            )
        case _:
            return DatabaseBusy(f"{place} cannot be reached; check that it runs.")
