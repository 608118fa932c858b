"""Certificates that this machine makes itself: an authority, and what it vouches for.

The authority is made once for a data folder and kept for ten years, since a person may have told a
phone to trust it. It can vouch for addresses and for names in ``.local`` only: whoever stole its
key could not pose as a site that has a name. The server's certificate is made anew when the
addresses have changed, or when it nears its end.

Each is one file, key and certificate together, so that no crash leaves halves that do not match.

``cryptography`` makes them: the library that the rest of Python uses for it.
"""

import os
import secrets
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stemset.audio.files import sync_folder, writing
from stemset.errors import InvalidConfig

_DER = serialization.Encoding.DER

AUTHORITY_FILE = "authority.pem"
SERVER_FILE = "server.pem"

_AUTHORITY_VALID = timedelta(days=3650)
# Longer ones are refused by Apple's systems, whoever signed them.
_SERVER_VALID = timedelta(days=397)
_RENEWED_BEFORE_END = timedelta(days=30)
# A phone's clock may be behind.
_VALID_SINCE = timedelta(days=1)
_ONLY_LOCAL_NAMES = x509.NameConstraints(
    permitted_subtrees=[x509.DNSName("local")], excluded_subtrees=None
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Certified:
    """What a listener has.

    Attributes:
        tls: The context of its connections.
        authority: The authority's certificate, in DER, for phones to install.
    """

    tls: ssl.SSLContext
    authority: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate, as phones show it."""
        return sha256(self.authority).digest().hex(":").upper()


def certified(folder: Path, names: Iterable[str], now: datetime) -> Certified:
    """Have a certificate for names, from the authority that is kept in a folder.

    Args:
        folder: Of this machine's user alone; made if it is not there.
        names: IP addresses, and names in ``.local``.
        now: The time.

    Raises:
        InvalidConfig: What is kept as the authority is none.
        OutputUnwritable, NoSpace: The folder cannot be written to.
    """
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _authority(folder / AUTHORITY_FILE, now)
        wanted = _alternative_names(names)
        server = folder / SERVER_FILE
        if not _is_good(_read(server), authority, wanted, now):
            _write(server, _make_server(authority, wanted, now))
    return Certified(_context(server), authority.certificate.public_bytes(_DER))


def _authority(file: Path, now: datetime) -> _Pair:
    kept = _read(file)
    if kept is None and file.exists():
        raise InvalidConfig(
            f"{file} is not what Stemset made. Restore it, or remove it: then a new one is made, "
            "and phones that trusted the old one must install it again."
        )
    if kept is None or kept.certificate.not_valid_after_utc < now + _SERVER_VALID:
        kept = _make_authority(now)
        _write(file, kept)
    return kept


def _make_authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Stemset {secrets.token_hex(3)}")])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(name, key.public_key(), now, _AUTHORITY_VALID)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(_ONLY_LOCAL_NAMES, critical=True)
    )
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _make_server(authority: _Pair, names: x509.SubjectAlternativeName, now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Stemset")])
    issuer = authority.certificate
    builder = (
        _builder(name, key.public_key(), now, _SERVER_VALID)
        .issuer_name(issuer.subject)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    return _Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID_SINCE)
        .not_valid_after(now - _VALID_SINCE + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(**named: bool) -> x509.KeyUsage:
    all_of_them = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**{**all_of_them, **named})


def _alternative_names(names: Iterable[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(each) for each in names])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_good(
    kept: _Pair | None, authority: _Pair, names: x509.SubjectAlternativeName, now: datetime
) -> bool:
    if kept is None:
        return False
    certificate = kept.certificate
    try:
        certificate.verify_directly_issued_by(authority.certificate)
        kept_names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        kept_names.value == names
        and certificate.not_valid_before_utc <= now
        and certificate.not_valid_after_utc >= now + _RENEWED_BEFORE_END
    )


def _read(file: Path) -> _Pair | None:
    """A pair as it was written; None if there is none, or something else."""
    try:
        written = file.read_bytes()
        key = serialization.load_pem_private_key(written, password=None)
        certificate = x509.load_pem_x509_certificate(written)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or certificate.public_key() != key.public_key()
    ):
        return None
    return _Pair(certificate, key)


def _write(file: Path, pair: _Pair) -> None:
    """Write a pair all at once, for this user's eyes only."""
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as written:
            written.write(
                pair.key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
            written.write(pair.certificate.public_bytes(serialization.Encoding.PEM))
            written.flush()
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(file.parent)


def _context(server: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(server)
    return context
