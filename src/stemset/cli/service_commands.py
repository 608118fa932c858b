"""What runs and keeps a service: what its commands are called with; their work stands elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from stemset.cli.options import ConfigFile, DataFolder, Json

service_app = typer.Typer()


@service_app.command()
def worker(
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for every one.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to listen on; PORT, or 8000.", min=0, max=65_535, show_default=False
        ),
    ] = None,
    config: ConfigFile = None,
) -> int:
    """Take orders over HTTP and carry them out, one at a time."""
    from stemset.cli.worker import run_worker  # noqa: PLC0415 - imported when it is called

    return run_worker(host=host, port=port, config=config)


@service_app.command()
def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on; STEMSET_HOST, or 127.0.0.1. Any other needs tokens.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to listen on; PORT, or 8080.", min=0, max=65_535, show_default=False
        ),
    ] = None,
    lan: Annotated[
        bool,
        typer.Option(
            "--lan",
            help="Let phones on the same network in as well: encrypted, and paired by a QR code.",
        ),
    ] = False,
    lan_address: Annotated[
        str | None,
        typer.Option(
            help="Address that phones come in on; this machine's own in its network.",
            show_default=False,
        ),
    ] = None,
    lan_port: Annotated[
        int | None,
        typer.Option(
            help="Port that phones come in on; 8443.", min=0, max=65_535, show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder for database and files; STEMSET_DATA_DIR, or your own data folder.",
            show_default=False,
        ),
    ] = None,
    computes: Annotated[
        bool,
        typer.Option(
            "--compute/--no-compute",
            help="Work off profiles that are not remote here; otherwise `stemset consume` does.",
        ),
    ] = True,
    config: ConfigFile = None,
) -> int:
    """Serve pages and scripts: take uploads, coordinate jobs, answer for stems."""
    from stemset.cli.serve import run_serve  # noqa: PLC0415 - imported when it is called

    return run_serve(
        host=host,
        port=port,
        lan=lan,
        lan_address=lan_address,
        lan_port=lan_port,
        data=data,
        computes=computes,
        config=config,
    )


@service_app.command()
def consume(
    *,
    scratch: Annotated[
        Path | None,
        typer.Option(
            help="Folder for recordings in the making; STEMSET_SCRATCH_DIR, or the system's.",
            show_default=False,
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            help="Port that Prometheus reads /metrics at; by default nowhere.",
            min=0,
            max=65_535,
            show_default=False,
        ),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(help="Address of that port. Any but loopback needs STEMSET_METRICS_TOKEN."),
    ] = "127.0.0.1",
    config: ConfigFile = None,
) -> int:
    """Work jobs off for a service on a PostgreSQL server, on as many machines as there are."""
    from stemset.cli.consume import run_consume  # noqa: PLC0415 - imported when it is called

    return run_consume(
        config=config, scratch=scratch, metrics_host=metrics_host, metrics_port=metrics_port
    )


@service_app.command()
def clean(
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove it; otherwise it is only listed.")
    ] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Json = False,
) -> None:
    """List what a service need not keep: what is past its age, orphans, abandoned uploads."""
    from stemset.cli.clean import run_clean  # noqa: PLC0415 - imported when it is called

    run_clean(remove=remove, config=config, data=data, as_json=json)


@service_app.command()
def cost(
    *,
    month: Annotated[
        str | None,
        typer.Option(help="A month (UTC) such as 2026-11.", show_default="this one"),
    ] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Json = False,
) -> None:
    """Show what a month's orders cost, by profile, and what the price is."""
    from stemset.cli.cost import run_cost  # noqa: PLC0415 - imported when it is called

    run_cost(month, config=config, data=data, as_json=json)
