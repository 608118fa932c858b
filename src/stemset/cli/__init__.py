"""The command line: parse, call, exit code.

Each command's work stands in a module of its own, imported when the command is called, so that
``stemset --help`` loads no audio and no network. Results go to standard output, progress and
errors to standard error. Exit codes: 0 ok, 1 failure, 2 usage, 3 some files failed, 4 missing
model or dependency, 5 remote worker, 130 interrupted.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer._completion_classes import completion_init
from typer.exceptions import TyperException

from stemset import __version__
from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.strategies import DEFAULT_STRATEGY
from stemset.cli.completion import COMPLETE_VARIABLE, Shell, completion_script
from stemset.cli.exit_codes import ExitCode, exit_code
from stemset.cli.member_commands import audit_app, member_app
from stemset.cli.model_commands import models_app
from stemset.cli.options import ConfigFile, DryRun, Force, Json
from stemset.cli.service_commands import service_app
from stemset.cli.token_commands import token_app
from stemset.errors import StemsetError

app = typer.Typer(
    name="stemset",
    help="Split recordings into stems that add up to the mix.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models_app, name="models")
app.add_typer(token_app, name="token")
app.add_typer(member_app, name="member")
app.add_typer(audit_app)
app.add_typer(service_app)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        arguments: Arguments after the program's name, by default the process's.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if COMPLETE_VARIABLE in os.environ:
        completion_init()
    try:
        code = app(args=arguments, prog_name="stemset", standalone_mode=False)
    except StemsetError as error:
        code = _complain(error)
    except TyperException as error:
        if message := error.format_message():  # none if help was shown instead
            print(f"Error: {message} See: stemset --help", file=sys.stderr)  # noqa: T201
        code = ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away; Python must not complain about it while it ends.
        sys.stdout = None
        code = ExitCode.FAILURE
    if code == ExitCode.INTERRUPTED:
        print("Interrupted. Nothing half-made was left; run it again to go on.", file=sys.stderr)  # noqa: T201
    raise SystemExit(int(code or 0))


@app.callback(invoke_without_command=True)
def _stemset(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"stemset {__version__}")
        raise typer.Exit


@app.command()
def split(
    files: Annotated[list[Path], typer.Argument(help="Recordings, or folders of recordings.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the outputs.")] = Path(
        "stems"
    ),
    strategy: Annotated[
        str, typer.Option("--strategy", "-s", help="See: stemset strategies.")
    ] = DEFAULT_STRATEGY,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", "-f", help="File format of the stems.")
    ] = OutputFormat.OPUS,
    bitrate: Annotated[
        int | None, typer.Option(help="kbit/s of lossy formats.", min=1, show_default=False)
    ] = None,
    depth: Annotated[
        Depth | None, typer.Option(help="Depth of WAV and FLAC; the recording's by default.")
    ] = None,
    original_manner: Annotated[
        bool,
        typer.Option(
            "--original-manner",
            help="Compute as the model's authors do, to compare: stems need not add up.",
        ),
    ] = False,
    force: Force = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Split recordings into stems; needs no configuration."""
    from stemset.cli.split import run_split

    return run_split(
        files,
        output=output,
        strategy=strategy,
        output_format=output_format,
        bitrate=bitrate,
        depth=depth,
        original_manner=original_manner,
        force=force,
        dry_run=dry_run,
        as_json=json,
    )


@app.command()
def process(
    profile: Annotated[str, typer.Argument(help="Name of a profile of the configuration.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings; by default all of the profile's source folder."),
    ] = None,
    *,
    local: Annotated[
        bool, typer.Option("--local", help="Work on this machine, whatever the profile says.")
    ] = False,
    config: ConfigFile = None,
    force: Force = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Split what is new in a profile's source folder."""
    from stemset.cli.process import run_process

    return run_process(
        profile,
        files or [],
        local=local,
        config=config,
        force=force,
        dry_run=dry_run,
        as_json=json,
    )


@app.command()
def verify(
    output: Annotated[Path, typer.Argument(help="An output folder.")],
    original: Annotated[
        Path | None, typer.Argument(help="The recording, to check that the stems add up.")
    ] = None,
    *,
    json: Json = False,
) -> int:
    """Check an output: hashes, lengths, and that its stems add up."""
    from stemset.cli.verify import run_verify

    return run_verify(output, original, as_json=json)


@app.command()
def mix(
    output: Annotated[Path, typer.Argument(help="An output folder.")],
    file: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file to make: .wav, .flac, .opus, .m4a or .mp3."),
    ],
    *,
    mute: Annotated[
        list[str] | None, typer.Option(help="A stem that is left out; may be repeated.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A stem that alone is heard; may be repeated.")
    ] = None,
    gain: Annotated[
        list[str] | None,
        typer.Option(help="dB of a stem, as drums=-3; may be repeated.", metavar="STEM=DB"),
    ] = None,
    pan: Annotated[
        list[str] | None,
        typer.Option(help="-1 (left) to 1 (right), as bass=0.3.", metavar="STEM=PAN"),
    ] = None,
    master: Annotated[float, typer.Option(help="dB of the whole.")] = 0.0,
    start: Annotated[
        str | None, typer.Option("--from", help="Where to begin, as 1:30.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Where to end, as 2:45.5.", show_default=False)
    ] = None,
    speed: Annotated[float, typer.Option(help="0.5 to 1.5; the pitch stays.")] = 1.0,
    pitch: Annotated[float, typer.Option(help="Semitones, -6 to 6; the speed stays.")] = 0.0,
    bitrate: Annotated[
        int | None, typer.Option(help="kbit/s of lossy formats.", min=1, show_default=False)
    ] = None,
    depth: Annotated[
        Depth | None, typer.Option(help="Depth of WAV and FLAC; the stems' by default.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Mix the stems of an output to one file, as it would be heard."""
    from stemset.cli.mix import run_mix

    return run_mix(
        output,
        file,
        only=only or [],
        mute=mute or [],
        gains=gain or [],
        pans=pan or [],
        master_db=master,
        start=start,
        end=end,
        speed=speed,
        semitones=pitch,
        bitrate=bitrate,
        depth=depth,
        force=force,
        as_json=json,
    )


@app.command()
def strategies(*, config: ConfigFile = None, json: Json = False) -> None:
    """List the strategies: the built-in ones and the configuration's."""
    from stemset.cli.strategies import run_strategies

    run_strategies(config, as_json=json)


@app.command()
def doctor(
    *,
    order: Annotated[
        bool,
        typer.Option("--order", help="Have the worker separate a second of sound as well."),
    ] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Check that this machine can do the work, and what it works with."""
    from stemset.cli.doctor import run_doctor

    return run_doctor(config, order=order, as_json=json)


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Strategies; by default all whose models are installed.", metavar="[STRATEGY]…"
        ),
    ] = None,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Measure this machine: how fast strategies are on it."""
    from stemset.cli.bench import run_bench

    run_bench(names or [], config=config, as_json=json)


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(help="Your shell.")],
) -> None:
    """Print a completion script: source it, or put it where your shell looks."""
    typer.echo(completion_script(shell))


def _complain(error: StemsetError) -> ExitCode:
    print(f"Error: {error} [{error.code}]", file=sys.stderr)  # noqa: T201
    return exit_code(error)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Let a termination end the process as Ctrl-C does, so that everything is cleaned up."""
    raise KeyboardInterrupt
