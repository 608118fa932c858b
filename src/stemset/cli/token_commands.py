"""``stemset token``: what its commands are called with; their work stands in ``token``."""

from typing import Annotated

import typer

from stemset.cli.options import ConfigFile, DataFolder, Json
from stemset.jobs.caller import Scope

token_app = typer.Typer(help="The service's tokens: create, list, revoke.", no_args_is_help=True)


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="What you call it, such as who or what will use it.")],
    *,
    scope: Annotated[
        Scope,
        typer.Option(
            help="read: look and listen; write: also upload, start, cancel and remove; "
            "admin: everything."
        ),
    ] = Scope.WRITE,
    profiles: Annotated[
        list[str] | None,
        typer.Option(
            "--profile",
            help="Limit it to this profile; can be given several times.",
            show_default="every profile",
        ),
    ] = None,
    expires: Annotated[
        str, typer.Option(help="How long it is valid, such as 12h or 90d; or never.")
    ] = "90d",
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Json = False,
) -> None:
    """Make a token and print it; it is shown only this once."""
    from stemset.cli.token import run_create  # noqa: PLC0415 - imported when it is called

    run_create(
        name,
        scope=scope,
        profiles=profiles or None,
        expires=expires,
        config=config,
        data=data,
        as_json=json,
    )


@token_app.command("list")
def token_list(*, config: ConfigFile = None, data: DataFolder = None, json: Json = False) -> None:
    """List the tokens, with those that are expired or revoked."""
    from stemset.cli.token import run_list  # noqa: PLC0415 - imported when it is called

    run_list(config=config, data=data, as_json=json)


@token_app.command("revoke")
def token_revoke(
    token: Annotated[str, typer.Argument(help="Its id or its name.")],
    *,
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Json = False,
) -> None:
    """Revoke a token: the service refuses it from then on."""
    from stemset.cli.token import run_revoke  # noqa: PLC0415 - imported when it is called

    run_revoke(token, config=config, data=data, as_json=json)
