"""``stemset process``: what is new in a profile's source folder."""

from pathlib import Path

from stemset.audio.decode import DecodeLimits
from stemset.cli.batch import Batch, recordings_in, run_batch
from stemset.cli.report import make_report
from stemset.config import Profile, Settings, load_settings
from stemset.errors import InputNotFound, RemoteUnavailable, SourceFolderMissing
from stemset.pipeline.plan import OutputChoice


def run_process(
    profile_name: str,
    files: list[Path],
    *,
    local: bool,
    config: Path | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Split the named files, or all of the source folder. Returns the exit code."""
    settings = load_settings(config)
    profile = settings.profile(profile_name)
    if profile.remote and not local:
        _refuse_remote(settings, profile)
    folder = settings.source_folder(profile)
    if not folder.is_dir():
        raise SourceFolderMissing(
            f"The source folder of profile {profile.name} is not there: {folder}. "
            "Is the drive connected and mounted?"
        )
    batch = Batch(
        root=settings.media / profile.name,
        strategy_name=profile.strategy,
        strategy=settings.strategy(profile.strategy),
        choice=OutputChoice(profile.output.format, profile.output.bitrate, profile.output.depth),
        limits=DecodeLimits(max_duration_s=settings.max_duration_s),
        profile=profile.name,
        replaces=True,
        force=force,
        dry_run=dry_run,
        allow_licences=settings.allow_licences,
    )
    paths = [_locate(file, folder) for file in files] or recordings_in(folder)
    return run_batch(batch, paths, make_report(as_json=as_json, dry_run=dry_run))


def _locate(file: Path, folder: Path) -> Path:
    """Find a file as it was given, then in the source folder."""
    for path in (file, folder / file):
        if path.exists():
            return path
    raise InputNotFound(f"There is no file {file}, neither here nor in {folder}.")


def _refuse_remote(settings: Settings, profile: Profile) -> None:
    if settings.worker_url is None:
        raise RemoteUnavailable(
            f"Profile {profile.name} says remote: true, and no worker is configured "
            "(gpu_worker_url or GPU_WORKER_URL). Use --local to work on this machine."
        )
    raise RemoteUnavailable(
        f"Profile {profile.name} says remote: true; this version cannot order work from "
        f"{settings.worker_url} yet. Use --local to work on this machine."
    )
