"""Whatever is sent, the service does not fail, and answers as its document says."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_database import LedgerDatabases
from library_service import make_output, make_recording
from service_client import RunningService, running_service

from stemset.jobs.caller import Scope

CHECKS = Path(__file__).with_name("fuzz_checks.py")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 6
WITHIN_S = 120
# What the tool is told of ids that there are; it makes up the others itself.
CONFIG = """
hooks = {hooks}
continue-on-failure = true
request-timeout = 10
headers = {{ Authorization = "Bearer {token}" }}
warnings = false


[generation]
max-examples = {examples}
deterministic = true
allow-x00 = false  # of which there are tests of their own

[dictionaries.jobs]
values = {jobs}
[dictionaries.recordings]
values = {recordings}
[dictionaries.outputs]
values = {outputs}
[dictionaries.profiles]
values = ["h4n", "songs"]
[dictionaries.files]
values = {files}

[parameters]
"path.job_id" = {{ dictionary = "jobs", probability = 0.5 }}
"path.recording_id" = {{ dictionary = "recordings", probability = 0.5 }}
"path.output_id" = {{ dictionary = "outputs", probability = 0.5 }}
"path.name" = {{ dictionary = "files", probability = 0.5 }}
"query.profile" = {{ dictionary = "profiles", probability = 0.5 }}
"body.profile_name" = {{ dictionary = "profiles", probability = 0.5 }}
"body.filename" = {{ dictionary = "files", probability = 0.5 }}
"""


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, ledger_databases: LedgerDatabases
) -> Iterator[RunningService]:
    """The service as other machines see it, with some things in its library."""
    conninfo = ledger_databases.migrated()
    folder = tmp_path_factory.mktemp("fuzzed")
    with running_service(folder, conninfo, is_open=False) as service:
        yield service
    ledger_databases.drop(conninfo)


@pytest.mark.usefixtures("example")  # the one model that is known to be here
def test_service_under_all_checks_of_schemathesis_holds(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # a model that is ordered stays away
    recordings = [make_recording(service, number) for number in range(1, 9)]
    made = [make_output(service, recording) for recording in recordings]
    config = CONFIG.format(
        hooks=json.dumps(str(CHECKS)),
        token=service.make_token(Scope.ADMIN),
        examples=EXAMPLES,
        jobs=json.dumps([job.id for job, _ in made]),
        recordings=json.dumps([recording.sha256 for recording in recordings]),
        outputs=json.dumps([output_id for _, output_id in made]),
        files=json.dumps([recordings[0].filename, "vocals.opus", "metadata.json"]),
    )
    (tmp_path / "schemathesis.toml").write_text(config)

    ran = subprocess.run(
        [
            SCHEMATHESIS,
            *("run", f"{service.url}/api/openapi.json"),
            *("--checks", "all"),
            # A check of ours in place of this one tells what has no form from what has no meaning.
            *("--exclude-checks", "positive_data_acceptance"),
            "--no-color",
            # It has no end, which the tool would wait for; tests of their own follow it.
            *("--exclude-operation-id", "follow_events"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
