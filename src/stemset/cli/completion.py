"""``stemset completion``: a script for the shell."""

from enum import StrEnum

from typer._completion_shared import get_completion_script

COMPLETE_VARIABLE = "_STEMSET_COMPLETE"
"""Set by the script when it asks the program what could come next."""


class Shell(StrEnum):
    """The shells that completion is offered for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion_script(shell: Shell) -> str:
    """Write the script."""
    return get_completion_script(
        prog_name="stemset", complete_var=COMPLETE_VARIABLE, shell=shell.value
    )
