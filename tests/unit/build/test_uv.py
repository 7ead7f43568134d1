"""What uv said, made fit to be shown."""

from pathlib import Path

from gigawatt.build.pip_config import UvOptions
from gigawatt.build.uv import MESSAGE_BYTES_MAX, clean, environ_secrets, failure, uv_environ

NO_OPTIONS = UvOptions(arguments=(), environ=())


def test_colours_and_control_characters_are_taken_out() -> None:
    assert clean("\x1b[31merror\x1b[0m\x07: \x1b]8;;x\x1b\\no") == "error: no"


def test_credentials_are_taken_out_wherever_they_stand() -> None:
    text = "Failed to fetch: https://user:s3cret@index.example/simple/ (401 for s3cret)"
    assert clean(text, ("s3cret",)) == (
        "Failed to fetch: https://****@index.example/simple/ (401 for ****)"
    )


def test_the_error_is_what_stands_from_its_first_line_on() -> None:
    said = [
        "Resolved 3 packages in 2ms",
        "error: No solution found",
        "  cause: Because",
        "",
        "hint",
    ]
    assert failure(said, 1) == "error: No solution found\n  cause: Because\nhint"


def test_an_error_drawn_with_lines_is_found_too() -> None:
    said = ["Using Python 3.11", "  × No solution found:", "  ╰─▶ Because"]
    assert failure(said, 1) == "  × No solution found:\n  ╰─▶ Because"


def test_without_an_error_the_last_words_are_shown() -> None:
    assert failure(["thread 'main' panicked"], 101) == "thread 'main' panicked"
    assert failure([], 2) == "uv ended with 2 and said nothing"


def test_a_signal_is_named() -> None:
    assert failure(["Downloading"], -9).startswith("uv was ended by SIGKILL")


def test_a_long_message_is_cut_to_its_limit() -> None:
    message = failure(["error: " + "é" * MESSAGE_BYTES_MAX], 1)
    assert len(message.encode()) <= MESSAGE_BYTES_MAX
    assert message.endswith("\n…")


def test_uv_downloads_no_python_and_reads_no_project(tmp_path: Path) -> None:
    machine = {"HOME": str(tmp_path), "PYTHONPATH": "/x", "UV_PYTHON": "3.8", "PATH": "/bin"}
    environ = uv_environ(machine, NO_OPTIONS, tmp_path / "cache")
    assert environ == {
        "HOME": str(tmp_path),
        "NO_COLOR": "1",
        "PATH": "/bin",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_LINK_MODE": "hardlink",
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def test_the_users_own_uv_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    config = tmp_path / ".config" / "uv" / "uv.toml"
    config.write_text("")
    environ = uv_environ({"HOME": str(tmp_path)}, NO_OPTIONS, tmp_path)
    assert (environ["UV_CONFIG_FILE"], "UV_NO_CONFIG" in environ) == (str(config), False)


def test_passwords_in_any_variable_for_uv_are_secrets() -> None:
    environ = {
        "UV_INDEX": "https://a:one@x/",
        "PIP_INDEX_URL": "https://b:two@x/",
        "HTTPS_PROXY": "http://c:three@x/",
        "HOME": "https://d:four@x/",
    }
    assert environ_secrets(environ) == ("three", "one", "two")
