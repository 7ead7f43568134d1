"""What the settings say of the instance's safety, for who asks it about itself."""

from gigawatt.build.exposure import is_loopback
from gigawatt.build.secrets import KEY_FILE
from gigawatt.build.wrapping import FILE
from gigawatt.server.tls import Wire
from gigawatt.service.posture import Posture
from gigawatt.settings import Settings

GIVEN_UP = (
    ("insecure_no_tls", "on"),
    ("accept_unisolated_tenants", "on"),
    ("isolation", "none"),
    ("mail_tls", "none"),
)


def posture_of(settings: Settings, wire: Wire) -> Posture:
    weakened = [
        f"{name}={value}"
        for name, value in GIVEN_UP
        if getattr(settings, name) == value and (name != "mail_tls" or settings.mail_host)
    ]
    if settings.webhook_networks:
        weakened.append(f"webhook_networks={settings.webhook_networks}")
    return Posture(
        data=settings.data,
        host=settings.host,
        reached=not is_loopback(settings.host),
        tls=_by(settings, wire),
        key_at=_key_at(settings),
        checks=settings.node_checks,
        watch_s=settings.node_watch_s,
        own_checks=settings.engine != "slurm",
        store=settings.store_url.partition(":")[0].partition("+")[0],
        weakened=tuple(weakened),
        audit_days=settings.keep_audit_s // 86_400,
    )


def _by(settings: Settings, wire: Wire) -> str:
    if wire.certificates is None:
        return ""
    return settings.tls_cert or "a leaf of the instance's own authority"


def _key_at(settings: Settings) -> str:
    if not settings.secrets_key:
        return str(settings.data / KEY_FILE)
    named = settings.secrets_key
    return named.removeprefix(FILE) if named.startswith(FILE) else ""
