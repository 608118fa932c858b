"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Force = Annotated[bool, typer.Option("--force", help="Make again what is done already.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="The configuration file.", show_default=False)
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder of the service; STEMSET_DATA_DIR, or your own data folder.",
        show_default=False,
    ),
]
