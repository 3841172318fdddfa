"""An authority of a test's own, and the certificates that it gives to servers."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_BEGIN, _END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Certificate(NamedTuple):
    """PEM files: the certificate, and its key."""

    file: Path
    key: Path


class Authority:
    """Signs what it is asked to; `file` is its own certificate."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        own = _certificate(self._name, self._name, self._key, _END).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(own.sign(self._key, hashes.SHA256())))

    def certify(self, address: str = "127.0.0.1", *, is_over: bool = False) -> Certificate:
        """A certificate for a server at this address; one that `is_over` is not valid any more."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = _BEGIN + timedelta(days=1) if is_over else _END
        host = x509.IPAddress(ipaddress.ip_address(address))
        certificate = _certificate(_named(address), self._name, key, end).add_extension(
            x509.SubjectAlternativeName([host]), critical=False
        )
        made = Certificate(self._folder / f"{address}.pem", self._folder / f"{address}.key")
        made.file.write_bytes(_pem(certificate.sign(self._key, hashes.SHA256())))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        made.key.chmod(0o600)
        return made


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(end)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
