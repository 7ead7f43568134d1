"""A small OpenID provider on loopback: discovery, keys, codes with PKCE. It signs whatever a test wants signed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from gigawatt import clock

CLIENT = "gigawatt"


@dataclass(slots=True)
class OidcServer:
    """`asked` are the paths of all requests that it has had."""

    issuer: str = ""
    keys: list[RSAKey] = field(default_factory=list[RSAKey])
    codes: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    asked: list[str] = field(default_factory=list[str])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    def new_key(self, kid: str) -> RSAKey:
        return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})

    def claims(self, **changes: Any) -> dict[str, Any]:
        now_s = clock.now_ms() // 1000
        good = {"iss": self.issuer, "aud": CLIENT, "sub": "u1", "iat": now_s, "exp": now_s + 300}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(self, **changes: Any) -> str:
        return self.token_by(self.keys[0], **changes)

    def token_by(self, key: RSAKey, **changes: Any) -> str:
        return jwt.encode({"alg": "RS256", "kid": key.kid}, self.claims(**changes), key)

    def unsigned(self, **changes: Any) -> str:
        parts = ({"alg": "none", "kid": self.keys[0].kid}, self.claims(**changes))
        return ".".join([*(_text(json.dumps(part).encode()) for part in parts), ""])

    def signed_by_the_public_key(self, **changes: Any) -> str:
        """HS256 with what everybody can read as its secret."""
        parts = ({"alg": "HS256", "kid": self.keys[0].kid}, self.claims(**changes))
        said = ".".join(_text(json.dumps(part).encode()) for part in parts)
        pem = self.keys[0].as_pem(private=False)
        return f"{said}.{_text(hmac.digest(pem, said.encode(), 'sha256'))}"

    def code_for(self, url: str, **changes: Any) -> dict[str, str]:
        """What the browser brings back that was sent to `url`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert (asked["client_id"], asked["code_challenge_method"]) == (CLIENT, "S256")
        code = f"code-{len(self.codes)}"
        token = self.token(**{"nonce": asked["nonce"], **changes})
        self.codes[code] = (asked["code_challenge"], token)
        return {"code": code, "state": asked["state"]}

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            **self.metadata,
        }

    def redeem(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge, token = self.codes.pop(form.get("code", ""), ("", ""))
        if not token or _text(digest) != challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {"id_token": token, "access_token": "a", "token_type": "Bearer"}


@contextmanager
def oidc_server() -> Generator[OidcServer]:
    idp = OidcServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            idp.asked.append(self.path)
            if self.path == "/jwks":
                keys = [key.as_dict(private=False) for key in idp.keys]
                self._answer(200, {"keys": keys})
            else:
                self._answer(200, idp.document())

        def do_POST(self) -> None:
            idp.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(*idp.redeem(form))

        def _answer(self, status: int, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    idp.issuer = f"http://127.0.0.1:{server.server_port}"
    idp.keys = [idp.new_key("k1")]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield idp
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
