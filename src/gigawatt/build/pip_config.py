"""What pip would be told on this machine, read from pip's own files and variables and said again in uv's words.

The rules are those of pip's configuration (https://pip.pypa.io/en/stable/topics/configuration/): machine, user, site and
PIP_CONFIG_FILE in that order, the `install` section over `global`, PIP_* variables over both, empty values unsaid.
"""

import configparser
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOCAL_SCHEME = "file://"
TRUE_WORDS = frozenset({"1", "true", "t", "yes", "y", "on"})
# Lines that a requirements file may hold beside requirements. All others either name files, which a spec must not
# read on the machine that builds, or change what pip does in ways that a lock cannot repeat.
OPTIONS = {
    "-i": "index-url",
    "--index-url": "index-url",
    "--extra-index-url": "extra-index-url",
    "-f": "find-links",
    "--find-links": "find-links",
    "--no-binary": "no-binary",
    "--only-binary": "only-binary",
}


class PipConfigError(Exception):
    """A configuration file of pip that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipConfig:
    """Settings that decide where packages come from and which are chosen. URLs may carry credentials."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()
    cert: str = ""
    client_cert: str = ""
    proxy: str = ""
    keyring_provider: str = ""
    timeout_s: str = ""
    retries: str = ""
    no_index: bool = False
    pre: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UvOptions:
    """`arguments` hold no URL: whatever may carry a credential is in `environ`, which no process list shows."""

    arguments: tuple[str, ...]
    environ: tuple[tuple[str, str], ...]


def read_pip_config(
    environ: Mapping[str, str], *, prefix: Path, root: Path = Path("/")
) -> PipConfig:
    """What `pip install` of the Python at `prefix` would use. `root` stands for `/` of the machine-wide files.

    Raises PipConfigError.
    """
    settings: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in _config_files(environ, prefix, root):
        for section, items in _read_file(path).items():
            settings.setdefault(section, {}).update(items)
    merged: dict[str, str] = {}
    for items in (settings["global"], settings["install"], _variables(environ)):
        merged.update({key: value for key, value in items.items() if value})
    return _config(merged)


def with_option_lines(config: PipConfig, lines: Iterable[str]) -> PipConfig:
    """The configuration with a requirements file's own option lines, which add to pip's as they do in pip.

    A line whose option is not in OPTIONS is our mistake: `check_spec` has refused it.
    """
    for line in lines:
        option, value = split_option(line)
        match OPTIONS[option]:
            case "index-url":
                config = replace(config, index_url=value, no_index=False)
            case "extra-index-url":
                config = replace(config, extra_index_urls=(*config.extra_index_urls, value))
            case "find-links":
                config = replace(config, find_links=(*config.find_links, value))
            case "no-binary":
                config = replace(config, no_binary=(*config.no_binary, value))
            case _:
                config = replace(config, only_binary=(*config.only_binary, value))
    return config


def split_option(line: str) -> tuple[str, str]:
    """`--find-links=URL` or `--find-links URL` as (option, value)."""
    head, _, rest = line.strip().partition(" ")
    option, equals, value = head.partition("=")
    return option, (value if equals else rest).strip().strip("\"'")


def uv_options(config: PipConfig, environ: Mapping[str, str]) -> UvOptions:
    """The same for uv. A UV_* variable that the machine sets itself is left as it is: it was meant for uv.

    pip treats its indexes as equals and takes the best version of all; uv would stop at the first that has the name.
    Directories of find-links that are not there are left out, as pip does with a warning.
    """
    indexes = () if config.no_index else config.extra_index_urls
    wanted = {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "" if config.no_index else _as_url(config.index_url),
        "UV_INDEX": " ".join(_as_url(url) for url in indexes),
        "UV_FIND_LINKS": ",".join(_comma_safe(link) for link in _present(config.find_links)),
        "UV_CONSTRAINT": " ".join(config.constraints),
        "UV_BUILD_CONSTRAINT": " ".join(config.constraints),
        "UV_INSECURE_HOST": " ".join(config.trusted_hosts),
        "UV_PRERELEASE": "allow" if config.pre else "",
        "UV_HTTP_TIMEOUT": config.timeout_s,
        "UV_HTTP_RETRIES": config.retries,
        "UV_KEYRING_PROVIDER": "subprocess" if config.keyring_provider == "subprocess" else "",
    }
    kept = {name: value for name, value in wanted.items() if value and name not in environ}
    bundle = environ.get("REQUESTS_CA_BUNDLE", "") or environ.get("CURL_CA_BUNDLE", "")
    network = {
        "SSL_CERT_FILE": config.cert or environ.get("SSL_CERT_FILE", "") or bundle,
        "SSL_CLIENT_CERT": config.client_cert,
        "HTTP_PROXY": config.proxy,
        "HTTPS_PROXY": config.proxy,
    }
    kept.update({name: value for name, value in network.items() if value})
    arguments = ["--no-index"] if config.no_index else []
    for name, packages in (("no-binary", config.no_binary), ("only-binary", config.only_binary)):
        for package in ",".join(packages).split(","):
            arguments += [f"--{name}", package] if package else []
    return UvOptions(arguments=tuple(arguments), environ=tuple(sorted(kept.items())))


def secrets_of(values: Iterable[str]) -> tuple[str, ...]:
    """Passwords and lone user names (tokens) inside URLs, as written and decoded, longest first."""
    found: set[str] = set()
    for url in (word for value in values for word in value.replace(",", " ").split()):
        if "@" not in url or "://" not in url:
            continue
        userinfo = urlsplit(url).netloc.rpartition("@")[0]
        user, colon, password = userinfo.partition(":")
        secret = password if colon else user
        found |= {text for text in (secret, unquote(secret)) if text}
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _config_files(environ: Mapping[str, str], prefix: Path, root: Path) -> Iterator[Path]:
    own = environ.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:
        return
    for base in (environ.get("XDG_CONFIG_DIRS", "") or "/etc/xdg").split(":"):
        yield root / base.lstrip("/") / "pip" / "pip.conf"
    yield root / "etc" / "pip.conf"
    # pip reads the user's files only where PIP_CONFIG_FILE does not name one that exists.
    if "HOME" in environ and not (own and Path(own).exists()):
        home = Path(environ["HOME"])
        yield home / ".pip" / "pip.conf"
        config_home = environ.get("XDG_CONFIG_HOME", "")
        yield (Path(config_home) if config_home else home / ".config") / "pip" / "pip.conf"
    yield prefix / "pip.conf"
    if own:
        yield Path(own)


def _read_file(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise PipConfigError(f"pip's configuration {path} cannot be read: {first_line}") from error
    return {
        section: {_key(name): value for name, value in parser.items(section)}
        for section in parser.sections()
        if section in {"global", "install"}
    }


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        _key(name[len("PIP_") :]): value
        for name, value in sorted(environ.items())
        if name.startswith("PIP_")
    }


def _key(name: str) -> str:
    key = name.lower().replace("_", "-").removeprefix("--")
    return "timeout" if key == "default-timeout" else key


def _config(settings: Mapping[str, str]) -> PipConfig:
    def words(key: str) -> tuple[str, ...]:
        return tuple(settings.get(key, "").split())

    def truth(key: str) -> bool:
        return settings.get(key, "").lower() in TRUE_WORDS

    return PipConfig(
        index_url=settings.get("index-url", "").strip(),
        extra_index_urls=words("extra-index-url"),
        find_links=words("find-links"),
        constraints=tuple(_absolute(path) for path in words("constraint")),
        trusted_hosts=words("trusted-host"),
        no_binary=words("no-binary"),
        only_binary=words("only-binary"),
        cert=settings.get("cert", "").strip(),
        client_cert=settings.get("client-cert", "").strip(),
        proxy=settings.get("proxy", "").strip(),
        keyring_provider=settings.get("keyring-provider", "").strip(),
        timeout_s=settings.get("timeout", "").strip(),
        retries=settings.get("retries", "").strip(),
        no_index=truth("no-index"),
        pre=truth("pre"),
    )


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).expanduser().absolute())


def _as_url(index: str) -> str:
    """The URL of an index. pip takes a directory where an index is asked for; uv wants its URL."""
    return Path(_absolute(index)).as_uri() if index and "://" not in index else index


def _present(links: Iterable[str]) -> Iterator[str]:
    for link in links:
        is_local = link.startswith(LOCAL_SCHEME) or "://" not in link
        if not is_local:
            yield link
            continue
        path = Path(_absolute(unquote(link.removeprefix(LOCAL_SCHEME))))
        if path.exists():
            yield str(path)


def _comma_safe(link: str) -> str:
    """One entry of a list that uv splits at commas."""
    if "," not in link:
        return link
    return (link if "://" in link else Path(link).as_uri()).replace(",", "%2C")
