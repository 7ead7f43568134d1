"""The terminal. It speaks to the API through the SDK alone; each command loads when it is used.

stdout is data, stderr is talk. Exit codes: 0 done, 1 the thing failed, 2 the request was wrong, 130 interrupted.
"""


def main() -> None:
    """The command `gw`."""
    from gigawatt.cli.app import app

    app.main(prog_name="gw")
