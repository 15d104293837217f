"""`funchost completion`: what makes a shell complete the command's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="""\b
Examples:
  bash: echo 'eval "$(funchost completion bash)"' >> ~/.bashrc
  zsh:  echo 'eval "$(funchost completion zsh)"' >> ~/.zshrc
  fish: funchost completion fish > ~/.config/fish/completions/funchost.fish
"""
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, /, *, shell: str) -> None:
    """Print the script that makes SHELL complete commands and options."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has these three
    made = kind(context.find_root().command, {}, "funchost", "_FUNCHOST_COMPLETE")
    click.echo(made.source_template % made.source_vars())
