"""``stemset process``: what is new in a profile's source folder."""

from pathlib import Path

from stemset.audio.decode import DecodeLimits
from stemset.catalogue.fingerprint import OutputChoice
from stemset.cli.batch import Batch, recordings_in, run_batch
from stemset.cli.remote.address import worker_address
from stemset.cli.report import Report, make_report
from stemset.config import Settings, load_settings, needed_store
from stemset.errors import InputNotFound, SourceFolderMissing
from stemset.orders.address import WorkerAddress


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
    address = worker_address(settings, profile) if profile.remote and not local else None
    if address:
        needed_store(settings)
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
    report = make_report(as_json=as_json, dry_run=dry_run)
    if address is None:
        return run_batch(batch, paths, report)
    return _run_remote(batch, paths, report, settings, address)


def _run_remote(
    batch: Batch,
    paths: list[Path],
    report: Report,
    settings: Settings,
    address: WorkerAddress,
) -> int:
    # Only remote work loads what speaks HTTP and to buckets.
    from stemset.cli.remote.connect import connect  # noqa: PLC0415
    from stemset.cli.remote.run import run_remote  # noqa: PLC0415
    from stemset.cli.remote.spending import JOURNAL, Journal, Spending  # noqa: PLC0415

    spending = None
    if settings.worker_rate is not None:
        spending = Spending(
            settings.worker_rate,
            Journal(batch.root / JOURNAL),
            profile=str(batch.profile),
            cap=settings.monthly_caps.get(str(batch.profile)),
        )
    return run_remote(batch, paths, report, lambda: connect(settings, address), spending)


def _locate(file: Path, folder: Path) -> Path:
    """Find a file as it was given, then in the source folder."""
    for path in (file, folder / file):
        if path.exists():
            return path
    raise InputNotFound(f"There is no file {file}, neither here nor in {folder}.")
