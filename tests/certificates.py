"""Certificates of an authority of a test's own, for servers on loopback."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """`ca_file` is what a client must be given to believe the servers."""

    ca_file: str
    issuer: trustme.CA

    def server(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        """What a server needs that calls itself `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert = self.issuer.issue_cert(name)
        with cert.private_key_and_cert_chain_pem.tempfile() as path:
            context.load_cert_chain(path)
        return context


def an_authority(place: Path) -> Authority:
    """A new one, with its certificate below `place`."""
    issuer = trustme.CA()
    path = place / "ca.pem"
    issuer.cert_pem.write_to_path(path)
    return Authority(ca_file=str(path), issuer=issuer)
