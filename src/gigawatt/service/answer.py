"""What came of sending a message, whichever way it went."""

import ssl
from dataclasses import dataclass

SAID_CHARS_MAX = 200  # of what the other side says


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status that came back, 0 for none; `error` says why it did not arrive, and holds no secret and no path.

    `final` says that asking again is in vain until somebody changes something.
    """

    status: int
    error: str = ""
    final: bool = False

    @property
    def arrived(self) -> bool:
        return 200 <= self.status < 300


def untrusted(error: BaseException) -> Answer | None:
    """The answer for a certificate that is not trusted, if that is what an error comes from."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ssl.SSLCertVerificationError):
            detail = f"its certificate is not trusted: {link.verify_message}"
            return Answer(status=0, error=detail, final=True)
        link = link.__cause__ or link.__context__
    return None


def said(error: Exception) -> str:
    """An error in its own words, or by its kind where it has none."""
    return (str(error) or type(error).__name__)[:SAID_CHARS_MAX]
