"""Reading pip's configuration as pip does, and saying it to uv."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gigawatt.build.pip_config import (
    PipConfig,
    PipConfigError,
    read_pip_config,
    secrets_of,
    split_option,
    uv_options,
    with_option_lines,
)

MACHINE = """
[global]
cert = /etc/ssl/certs/ca.pem
index-url = https://machine.example/simple
timeout = 20
trusted-host = machine.example
"""
USER = """
[global]
extra-index-url =
    https://one.example/simple
    file:///srv/two/simple
find_links = /srv/wheels https://links.example/
[install]
pre = yes
no-binary = numpy
[freeze]
index-url = https://elsewhere.example/simple
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine's file tree with a machine-wide and a user's configuration."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pip.conf").write_text(MACHINE)
    user = tmp_path / "home" / ".config" / "pip"
    user.mkdir(parents=True)
    (user / "pip.conf").write_text(USER)
    return tmp_path


def read(machine: Path, **variables: str) -> PipConfig:
    environ = {"HOME": str(machine / "home"), **variables}
    return read_pip_config(environ, prefix=machine / "venv", root=machine)


def environ_of(config: PipConfig, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    return dict(uv_options(config, environ or {}).environ)


def test_machine_and_user_files_are_one_configuration(machine: Path) -> None:
    assert read(machine) == PipConfig(
        index_url="https://machine.example/simple",
        extra_index_urls=("https://one.example/simple", "file:///srv/two/simple"),
        find_links=("/srv/wheels", "https://links.example/"),
        trusted_hosts=("machine.example",),
        no_binary=("numpy",),
        cert="/etc/ssl/certs/ca.pem",
        timeout_s="20",
        pre=True,
    )


def test_a_machine_without_pip_configuration_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) == PipConfig()


def test_later_files_and_the_install_section_win(machine: Path) -> None:
    (machine / "venv").mkdir()
    site = "[global]\nindex-url = https://site.example/simple\n[install]\ntimeout = 7\n"
    (machine / "venv" / "pip.conf").write_text(site)
    config = read(machine)
    assert (config.index_url, config.timeout_s) == ("https://site.example/simple", "7")


def test_variables_win_over_every_file(machine: Path) -> None:
    config = read(machine, PIP_INDEX_URL="https://env.example/simple", PIP_FIND_LINKS="/opt/w")
    assert (config.index_url, config.find_links) == ("https://env.example/simple", ("/opt/w",))


def test_empty_values_are_unsaid(machine: Path) -> None:
    assert read(machine, PIP_INDEX_URL="").index_url == "https://machine.example/simple"


def test_the_old_name_of_the_time_limit_counts(machine: Path) -> None:
    assert read(machine, PIP_DEFAULT_TIMEOUT="180").timeout_s == "180"


def test_the_legacy_user_file_comes_before_the_xdg_one(machine: Path) -> None:
    legacy = machine / "home" / ".pip"
    legacy.mkdir()
    (legacy / "pip.conf").write_text("[global]\nproxy = http://proxy:3128\nfind-links = /old\n")
    config = read(machine)
    assert (config.proxy, config.find_links[0]) == ("http://proxy:3128", "/srv/wheels")


def test_xdg_config_home_moves_the_user_file(machine: Path) -> None:
    moved = machine / "xdg" / "pip"
    moved.mkdir(parents=True)
    (moved / "pip.conf").write_text("[global]\nfind-links = /moved\n")
    assert read(machine, XDG_CONFIG_HOME=str(machine / "xdg")).find_links == ("/moved",)


def test_a_named_file_replaces_the_users(machine: Path) -> None:
    own = machine / "own.conf"
    own.write_text("[global]\nfind-links = /own\n")
    config = read(machine, PIP_CONFIG_FILE=str(own))
    assert (config.find_links, config.extra_index_urls) == (("/own",), ())
    assert config.index_url == "https://machine.example/simple"


def test_a_named_null_device_turns_all_files_off(machine: Path) -> None:
    assert read(machine, PIP_CONFIG_FILE="/dev/null", PIP_PRE="1") == PipConfig(pre=True)


def test_a_file_that_cannot_be_read_is_named(machine: Path) -> None:
    (machine / "etc" / "pip.conf").write_text("index-url = nowhere\n")
    with pytest.raises(PipConfigError, match=r"pip\.conf cannot be read"):
        read(machine)


def test_relative_constraints_are_made_absolute(machine: Path) -> None:
    config = read(machine, PIP_CONSTRAINT="c.txt https://limits.example/c.txt")
    assert config.constraints == (str(Path("c.txt").absolute()), "https://limits.example/c.txt")


def test_uv_is_told_the_same(tmp_path: Path) -> None:
    config = PipConfig(
        index_url="https://u:p@main.example/simple",
        extra_index_urls=("https://one.example/simple", str(tmp_path)),
        find_links=(str(tmp_path), "https://links.example/"),
        constraints=("/c.txt",),
        trusted_hosts=("a.example", "b.example:8443"),
        cert="/ca.pem",
        client_cert="/client.pem",
        proxy="http://proxy:3128",
        keyring_provider="subprocess",
        timeout_s="30",
        retries="5",
        only_binary=(":all:",),
        no_binary=("numpy,scipy",),
        pre=True,
    )
    options = uv_options(config, {})
    assert dict(options.environ) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://u:p@main.example/simple",
        "UV_INDEX": f"https://one.example/simple {tmp_path.as_uri()}",
        "UV_FIND_LINKS": f"{tmp_path},https://links.example/",
        "UV_CONSTRAINT": "/c.txt",
        "UV_BUILD_CONSTRAINT": "/c.txt",
        "UV_INSECURE_HOST": "a.example b.example:8443",
        "UV_PRERELEASE": "allow",
        "UV_HTTP_TIMEOUT": "30",
        "UV_HTTP_RETRIES": "5",
        "UV_KEYRING_PROVIDER": "subprocess",
        "SSL_CERT_FILE": "/ca.pem",
        "SSL_CLIENT_CERT": "/client.pem",
        "HTTP_PROXY": "http://proxy:3128",
        "HTTPS_PROXY": "http://proxy:3128",
    }
    assert options.arguments == (
        "--no-binary", "numpy", "--no-binary", "scipy", "--only-binary", ":all:",
    )  # fmt: skip


def test_no_index_leaves_find_links_alone(tmp_path: Path) -> None:
    config = PipConfig(
        no_index=True,
        index_url="https://a/",
        extra_index_urls=("https://b/",),
        find_links=(str(tmp_path),),
    )
    options = uv_options(config, {})
    assert options.arguments == ("--no-index",)
    assert dict(options.environ) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": str(tmp_path),
    }


def test_directories_that_are_not_there_are_left_out() -> None:
    config = PipConfig(find_links=("/not/there", "file:///not/there", "https://links.example/"))
    assert environ_of(config)["UV_FIND_LINKS"] == "https://links.example/"


def test_a_comma_in_a_link_does_not_split_it(tmp_path: Path) -> None:
    place = tmp_path / "a,b"
    place.mkdir()
    config = PipConfig(find_links=(str(place), "https://links.example/a,b"))
    first, second = environ_of(config)["UV_FIND_LINKS"].split(",")
    assert (first, second) == (f"{tmp_path.as_uri()}/a%2Cb", "https://links.example/a%2Cb")


def test_what_the_machine_sets_for_uv_stays_as_it_is() -> None:
    environ = {"UV_DEFAULT_INDEX": "https://uv.example/simple", "UV_HTTP_TIMEOUT": "9"}
    told = environ_of(PipConfig(index_url="https://pip.example/simple", timeout_s="1"), environ)
    assert told == {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_certificates_that_other_tools_are_told_of_count_for_uv_too() -> None:
    assert environ_of(PipConfig(), {"REQUESTS_CA_BUNDLE": "/r.pem"})["SSL_CERT_FILE"] == "/r.pem"
    both = {"REQUESTS_CA_BUNDLE": "/r.pem", "SSL_CERT_FILE": "/s.pem"}
    assert environ_of(PipConfig(), both)["SSL_CERT_FILE"] == "/s.pem"
    assert environ_of(PipConfig(cert="/pip.pem"), both)["SSL_CERT_FILE"] == "/pip.pem"


def test_option_lines_of_requirements_add_to_the_configuration() -> None:
    config = PipConfig(index_url="https://pip.example/", find_links=("/w",), no_index=True)
    lines = (
        "--index-url https://own.example/",
        "--extra-index-url=https://extra.example/",
        "-f https://links.example/",
        "--only-binary :all:",
        "--no-binary numpy",
    )
    assert with_option_lines(config, lines) == PipConfig(
        index_url="https://own.example/",
        extra_index_urls=("https://extra.example/",),
        find_links=("/w", "https://links.example/"),
        only_binary=(":all:",),
        no_binary=("numpy",),
    )


@pytest.mark.parametrize("line", ["-f X", "-f  X ", "-f 'X'", '-f "X"'])
def test_an_option_line_is_split(line: str) -> None:
    assert split_option(line) == ("-f", "X")


def test_passwords_and_tokens_of_urls_are_secrets() -> None:
    values = ["https://user:p%40ss@a/ https://token@b/x,http://c/", "plain@text"]
    assert secrets_of(values) == ("p%40ss", "token", "p@ss")
