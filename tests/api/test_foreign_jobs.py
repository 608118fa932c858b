"""Jobs of a profile that is not the caller's: as if there were none."""

import httpx
import pytest
from library_service import world_of
from service_client import RunningService
from standing_stems import accepted, found, note, request

from stemset.jobs.caller import Scope
from stemset.jobs.job import Job


@pytest.fixture
def job(guarded: RunningService) -> Job:
    async def waits() -> Job:
        world = world_of(guarded)
        await note(world, found())
        return await accepted(world, request(found(), "h4n"))

    return guarded.run(waits)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/status"), ("POST", "/cancel"), ("POST", "/retry")],
    ids=["look", "status", "cancel", "retry"],
)
def test_job_of_another_profile_is_not_found_and_left_alone(
    guarded: RunningService, job: Job, method: str, path: str
) -> None:
    with guarded.caller(guarded.make_token(Scope.ADMIN, "songs")) as stranger:
        answer = stranger.request(method, f"/api/jobs/{job.id}{path}")
        unknown = stranger.request(method, f"/api/jobs/{'0' * 32}{path}")

    assert code(answer) == code(unknown) == (404, "job_not_found")
    with guarded.caller(guarded.make_token(Scope.READ, "h4n")) as owner:
        assert owner.get(f"/api/jobs/{job.id}").json()["state"] == "queued"


def test_jobs_of_another_profile_are_not_listed(guarded: RunningService, job: Job) -> None:
    with guarded.caller(guarded.make_token(Scope.READ, "songs")) as stranger:
        assert stranger.get("/api/jobs").json()["jobs"] == []
        assert code(stranger.get("/api/jobs", params={"profile": "h4n"})) == (403, "forbidden")
    with guarded.caller(guarded.make_token(Scope.READ, "h4n", name="owner")) as owner:
        assert [each["job_id"] for each in owner.get("/api/jobs").json()["jobs"]] == [job.id]
