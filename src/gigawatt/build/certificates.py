"""Certificates that an instance serves with: the operator's, or its own authority's, and taking up new ones.

An authority of our own is made once, below the data directory; it signs a leaf that is good for a week, and a new one
long before that ends. Clients on this machine are told of the authority by `instance.json`.
"""

import ipaddress
import logging
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gigawatt.model.refusal import RefusalCode, RefusalError

AUTHORITY_DAYS = 3_650
LEAF_DAYS = 7
RENEW_DAYS = 3  # before its end, a new leaf is made
BACKDATED_S = 3_600  # for clients whose clocks are behind
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Paths, PEM. `authority` is what clients must be told of; empty where their system knows it."""

    cert: Path
    key: Path
    authority: str = ""


def own_certificates(place: Path, names: tuple[str, ...], *, now_ms: int) -> Certificates:
    """A leaf for `names` and this machine, of an authority that is made where there is none yet. Raises OSError.

    Called again, it makes a new leaf where the one there is near its end, or is not for these names.
    """
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    leaf = place / "leaf.pem"  # with its key, so that nobody reads the one without the other
    paths = Certificates(cert=leaf, key=leaf, authority=str(place / "ca.pem"))
    wanted = tuple(dict.fromkeys((*names, *LOCAL_NAMES, socket.gethostname())))
    now = datetime.fromtimestamp(now_ms // 1000, tz=UTC)
    authority = _authority(place, now)
    if not _still_good(paths, wanted, authority[0], now):
        _make_leaf(paths, wanted, authority, now)
    return paths


def check_certificates(paths: Certificates) -> None:
    """Raises RefusalError for files that cannot be served with."""
    try:
        _context(paths)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RefusalError(
            RefusalCode.INVALID,
            f"{paths.cert} and {paths.key} are no certificate with its key: {why}",
            field="tls_cert",
            hint="both in PEM, the certificate first and what signed it after it",
        ) from error


def names_of(paths: Certificates) -> tuple[str, ...]:
    """The names and addresses that a certificate is for. Raises OSError, ValueError."""
    found = x509.load_pem_x509_certificate(paths.cert.read_bytes())
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *(str(each) for each in addresses))


def trusting(authority: str) -> ssl.SSLContext:
    """A context for clients of an instance: its own authority is believed alone, else the system's are. Raises OSError."""
    return ssl.create_default_context(cafile=authority or None)


class ServingContext:
    """A context to serve with, which takes up new files; connections that are open stay as they are."""

    def __init__(self, paths: Certificates) -> None:
        self._paths = paths
        self._seen = _seen(paths)
        self.context = _context(paths)

    def look(self) -> bool:
        """Take up files that have changed; whether they had. Those that cannot be served with are left alone."""
        try:
            seen = _seen(self._paths)
            if seen == self._seen:
                return False
            _context(self._paths)  # a pair that does not fit would break the one in use
            self.context.load_cert_chain(self._paths.cert, self._paths.key)
        except (OSError, ssl.SSLError) as error:
            log.warning("the certificate cannot be taken up: %s", error)
            return False
        self._seen = seen
        log.info("a new certificate is in use")
        return True


def _context(paths: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(paths.cert, paths.key)
    return context


def _seen(paths: Certificates) -> tuple[tuple[int, int], ...]:
    stats = (paths.cert.stat(), paths.key.stat())
    return tuple((stat.st_mtime_ns, stat.st_ino) for stat in stats)


Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _authority(place: Path, now: datetime) -> Authority:
    """The one that is there, else a new one."""
    cert_path, key_path = place / "ca.pem", place / "ca.key"
    try:
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        cert = x509.load_pem_x509_certificate(cert_path.read_bytes())
        if isinstance(key, ec.EllipticCurvePrivateKey) and _lasts(cert, now, LEAF_DAYS):
            return cert, key
    except (OSError, ValueError):
        log.info("a new authority for certificates is made in %s", place)
    return _make_authority(cert_path, key_path, now)


def _make_authority(cert_path: Path, key_path: Path, now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"gigawatt on {socket.gethostname()}"[:64])]
    )
    usage = _usage(signs_certificates=True)
    cert = (
        _builder(name, name, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_path, _key_pem(key))
    _write(cert_path, cert.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return cert, key


def _make_leaf(
    paths: Certificates, names: tuple[str, ...], authority: Authority, now: datetime
) -> None:
    ca, ca_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    cert = (
        _builder(subject, ca.subject, key, now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        .add_extension(signer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(paths.cert, cert.public_bytes(serialization.Encoding.PEM) + _key_pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=BACKDATED_S))
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _still_good(
    paths: Certificates, names: tuple[str, ...], ca: x509.Certificate, now: datetime
) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(paths.cert.read_bytes())
        leaf.verify_directly_issued_by(ca)
        check_certificates(paths)
        return _lasts(leaf, now, RENEW_DAYS) and set(names) <= set(names_of(paths))
    except (OSError, ValueError, TypeError, InvalidSignature, RefusalError):
        return False


def _lasts(cert: x509.Certificate, now: datetime, days: int) -> bool:
    return cert.not_valid_before_utc <= now < cert.not_valid_after_utc - timedelta(days=days)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    file_fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(file_fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
