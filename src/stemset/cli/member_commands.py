"""``stemset member`` and ``audit``: what they are called with; their work stands in ``member``."""

from typing import Annotated

import typer

from stemset.cli.options import ConfigFile, DataFolder, Json
from stemset.jobs.caller import Role

member_app = typer.Typer(
    help="Who may sign in by browser: add, list, remove, sign-out.", no_args_is_help=True
)
audit_app = typer.Typer()

Email = Annotated[str, typer.Argument(help="The e-mail address that the provider vouches for.")]


@member_app.command("add")
def member_add(
    email: Email,
    *,
    role: Annotated[
        Role,
        typer.Option(help="member: upload, listen, start, cancel and remove; admin: everything."),
    ] = Role.MEMBER,
    profiles: Annotated[
        list[str] | None,
        typer.Option(
            "--profile",
            help="Limit a member to this profile; can be given several times.",
            show_default="every profile",
        ),
    ] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Json = False,
) -> None:
    """Let an e-mail address sign in, or change what it may do."""
    from stemset.cli.member import run_add  # noqa: PLC0415 - imported when it is called

    run_add(email, role=role, profiles=profiles or None, config=config, data=data, as_json=json)


@member_app.command("list")
def member_list(*, config: ConfigFile = None, data: DataFolder = None, json: Json = False) -> None:
    """List who may sign in, and who is signed in."""
    from stemset.cli.member import run_list  # noqa: PLC0415 - imported when it is called

    run_list(config=config, data=data, as_json=json)


@member_app.command("remove")
def member_remove(
    email: Email, *, config: ConfigFile = None, data: DataFolder = None, json: Json = False
) -> None:
    """Let an e-mail address sign in no more, and end its sessions; what it made stays."""
    from stemset.cli.member import run_remove  # noqa: PLC0415 - imported when it is called

    run_remove(email, config=config, data=data, as_json=json)


@member_app.command("sign-out")
def member_sign_out(
    email: Email, *, config: ConfigFile = None, data: DataFolder = None, json: Json = False
) -> None:
    """Sign a member out of every browser; signing in again is not refused."""
    from stemset.cli.member import run_sign_out  # noqa: PLC0415 - imported when it is called

    run_sign_out(email, config=config, data=data, as_json=json)


@audit_app.command("audit")
def audit(
    *,
    limit: Annotated[
        int, typer.Option(help="How many entries, the newest.", min=1, max=100_000)
    ] = 50,
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Json = False,
) -> None:
    """Show who did what: sign-ins, members, tokens, phones, deletions."""
    from stemset.cli.member import run_audit  # noqa: PLC0415 - imported when it is called

    run_audit(limit=limit, config=config, data=data, as_json=json)
