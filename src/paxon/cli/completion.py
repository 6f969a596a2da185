"""``completion``: a script that teaches a shell to complete ``paxon``."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  eval "$(paxon completion bash)"     in ~/.bashrc
    zsh:   eval "$(paxon completion zsh)"      in ~/.zshrc
    fish:  paxon completion fish | source      in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "paxon", "_PAXON_COMPLETE").source())
