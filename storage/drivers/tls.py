"""Whether a server is spoken to by TLS, and how it has to prove who it is."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from storage.drivers.options import Dialect, Options, refused


class Trust(IntEnum):
    """How much a connection must have, from the least."""

    PLAIN = 0
    ALLOW = 1  # TLS where the server insists
    PREFER = 2  # TLS where the server has it
    ENCRYPTED = 3  # TLS, with whomever
    AUTHORITY = 4  # TLS with a certificate that is trusted, whatever name is in it
    IDENTITY = 5  # TLS with a trusted certificate of this host


_WORDS = {
    **dict.fromkeys(("disable", "disabled", "false", "0", "no", "off"), Trust.PLAIN),
    "allow": Trust.ALLOW,
    **dict.fromkeys(("prefer", "preferred"), Trust.PREFER),
    **dict.fromkeys(("require", "required", "true", "1", "yes", "on"), Trust.ENCRYPTED),
    **dict.fromkeys(("no-verify", "skip-verify"), Trust.ENCRYPTED),
    "verify-ca": Trust.AUTHORITY,
    **dict.fromkeys(("verify-full", "verify-identity"), Trust.IDENTITY),
}
_PRISMA = {"strict": Trust.IDENTITY, "accept-invalid-certs": Trust.ENCRYPTED}
_GO = {**_WORDS, "true": Trust.IDENTITY, "1": Trust.IDENTITY}
_SHOWN = {
    "postgres": "disable, allow, prefer, require, verify-ca, verify-full",
    "mysql": "DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY",
}
_VERSIONS = {
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What was asked for; files are paths, `authorities` None those of the system."""

    trust: Trust
    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None
    password: str | None = None
    least: str | None = None
    most: str | None = None

    def context(self) -> ssl.SSLContext:
        """What the driver needs for TLS.

        Raises:
            DatabaseUnusable: a file is none of certificates, or no key of theirs.
        """
        try:
            context = self._begun()
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key, self.password or "")
        except OSError as error:  # ssl's own errors are of that kind
            raise refused(
                "the certificates and keys that it names cannot be used; they must be PEM, and the "
                "key that of the certificate."
            ) from error
        if self.least:
            context.minimum_version = _VERSIONS[self.least]
        if self.most:
            context.maximum_version = _VERSIONS[self.most]
        return context

    def _begun(self) -> ssl.SSLContext:
        if self.trust >= Trust.AUTHORITY:
            context = ssl.create_default_context(cafile=self.authorities)
            context.check_hostname = self.trust is Trust.IDENTITY
            # From 3.13 on Python refuses what servers' own authorities often lack.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            return context
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def read(options: Options, dialect: Dialect) -> Tls:
    """What the options say about TLS.

    Raises:
        DatabaseUnusable: they contradict each other, or name what is not there.
    """
    root = "sslrootcert" if dialect == "postgres" else "ssl_ca"
    is_of_system = options.text(root) == "system"
    authorities = None if is_of_system else options.file(root)
    certificate, key = options.file("sslcert"), options.file("sslkey")
    if certificate and not key:
        raise refused(
            f"{options.spelled('sslcert')} is this program's own certificate, and needs sslkey; "
            f"the authority's is {root}."
        )
    return Tls(
        trust=_trust(options, dialect, root),
        authorities=authorities,
        certificate=certificate,
        key=key,
        password=options.text("sslpassword"),
        least=options.one_of("ssl_min_protocol_version", *_VERSIONS),
        most=options.one_of("ssl_max_protocol_version", *_VERSIONS),
    )


# Asked for, and of no effect without TLS.
_ONLY_WITH_TLS = (
    *("sslcert", "sslkey", "sslpassword"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)


def _trust(options: Options, dialect: Dialect, root: str) -> Trust:
    """The strictest of all that is asked for."""
    asked = [
        word
        for name, words in (
            ("sslmode", _WORDS),
            ("ssl", _WORDS),
            ("sslaccept", _PRISMA),
            ("tls", _GO),
        )
        if (word := _word(options, name, words, dialect)) is not None
    ]
    asked += _asked_otherwise(options)
    if any(options.text(name) for name in _ONLY_WITH_TLS):
        asked.append(Trust.ENCRYPTED)
    if options.text("sslnegotiation") == "direct":
        asked.append(Trust.ENCRYPTED)
    if options.text(root) == "system":
        asked.append(Trust.IDENTITY)
    elif options.text(root) and max(asked, default=Trust.ENCRYPTED) >= Trust.ENCRYPTED:
        asked.append(Trust.AUTHORITY)  # as libpq's `require` with an authority
    if Trust.PLAIN in asked and max(asked) > Trust.PLAIN:
        raise refused("its options ask for TLS and forbid it; leave one of them out.")
    # libpq's default, and that of asyncmy.
    return max(asked, default=Trust.PREFER if dialect == "postgres" else Trust.PLAIN)


def _word(options: Options, name: str, words: dict[str, Trust], dialect: Dialect) -> Trust | None:
    given = options.text(name)
    if given is None:
        return None
    if given.startswith("{") and (verifies := _for_node(given)) is not None:
        return Trust.IDENTITY if verifies else Trust.ENCRYPTED
    if (found := words.get(given.lower().replace("_", "-"))) is None:
        shown = ", ".join(words) if words is _PRISMA else _SHOWN[dialect]
        raise refused(f"{options.spelled(name)} must be one of: {shown}.")
    return found


def _for_node(given: str) -> bool | None:
    """Hosts print `ssl={"rejectUnauthorized":true}`."""
    try:
        rejects = cast("dict[str, object]", json.loads(given))
    except ValueError:
        return None
    return bool(rejects["rejectUnauthorized"]) if set(rejects) == {"rejectUnauthorized"} else None


def _asked_otherwise(options: Options) -> list[Trust]:
    asked: list[Trust] = []
    if options.boolean("ssl_verify_cert"):
        asked.append(Trust.AUTHORITY)
    # asyncpg cannot bind the login to the channel. What that is for, that nobody stands between,
    # a certificate proves as well.
    if (
        options.boolean("ssl_verify_identity")
        or options.one_of("channel_binding", "disable", "prefer", "require") == "require"
    ):
        asked.append(Trust.IDENTITY)
    if options.boolean("ssl_disabled"):
        asked.append(Trust.PLAIN)
    return asked
