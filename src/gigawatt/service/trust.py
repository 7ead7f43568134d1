"""Which certificates receivers of messages are believed by: the system's, and those that the operator adds."""

import ssl

from gigawatt.model.refusal import RefusalCode, RefusalError


def trusting(ca_file: str) -> ssl.SSLContext:
    """Names and certificates are always checked. Blocks. Raises RefusalError for a file without certificates."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise RefusalError(
                RefusalCode.INVALID,
                f"{ca_file} holds no certificates that can be read: {_why(error)}",
                field="notify_ca_file",
                hint="it must hold certificates as PEM: -----BEGIN CERTIFICATE-----",
            ) from None
    return context


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
