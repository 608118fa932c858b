"""Whatever is sent, the service does not fail, and answers as its document says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_database import LedgerDatabases
from library_service import make_output, make_recording
from schemathesis_run import run_schemathesis
from service_client import RunningService, running_service

from stemset.jobs.caller import Scope

EXAMPLES = 6
WITHIN_S = 400
# What the tool is told of ids that there are; it makes up the others itself.
KNOWN = """
[[operations]]  # it has no end: it is left once it has begun
include-operation-id = "follow_events"
max-stream-events = 1

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
    environ = {"STEMSET_CALLS_PER_S": "100000"}  # the tool calls faster than a token may
    with running_service(folder, conninfo, is_open=False, environ=environ) as service:
        yield service
    ledger_databases.drop(conninfo)


@pytest.mark.usefixtures("example")  # the one model that is known to be here
def test_service_under_all_checks_of_schemathesis_holds(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # a model that is ordered stays away
    recordings = [make_recording(service, number) for number in range(1, 9)]
    made = [make_output(service, recording) for recording in recordings]
    known = KNOWN.format(
        jobs=json.dumps([job.id for job, _ in made]),
        recordings=json.dumps([recording.sha256 for recording in recordings]),
        outputs=json.dumps([output_id for _, output_id in made]),
        files=json.dumps([recordings[0].filename, "vocals.opus", "metadata.json"]),
    )

    ran = run_schemathesis(
        tmp_path,
        f"{service.url}/api/openapi.json",
        examples=EXAMPLES,
        within_s=WITHIN_S,
        config=f'headers = {{ Authorization = "Bearer {service.make_token(Scope.ADMIN)}" }}',
        tables=known,
    )

    assert ran.status == 0, ran.output
    assert ran.answered["follow_events", 200]
    assert not any(status == 429 for _, status in ran.answered)  # what it sent was looked at
