"""`gw completion`: the script that teaches a shell to complete `gw`."""

import click

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_GW_COMPLETE"


HELP = """Print the completion script for SHELL.

\b
bash:  eval "$(gw completion bash)"      in ~/.bashrc
zsh:   eval "$(gw completion zsh)"       in ~/.zshrc
fish:  gw completion fish | source       in ~/.config/fish/config.fish
"""


@click.command("completion", help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    # The base class's script: bash's own asks the running bash for its version first.
    click.echo(ShellComplete.source(kind(root, {}, "gw", VARIABLE)))
