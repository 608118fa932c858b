"""The models over HTTP: what is here, and installing one while the service runs."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from faulty_web import Answer, FaultyWeb, serve_web
from library_service import await_that
from service_client import CONFIG, RunningService, running_service

from stemset.api.routes import catalogue as routes
from stemset.catalogue.entries import CATALOGUE, find
from stemset.catalogue.entry import Checkpoint, Files, ModelEntry, PublishedFile
from stemset.catalogue.weights import load_files
from stemset.errors import ModelNotInstalled
from stemset.jobs.caller import Scope

CONTENT = b"weights" * 100_000
NAME = "htdemucs"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model cache, and no other tool's."""
    for name in ("TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing here"))
    monkeypatch.setenv("STEMSET_MODEL_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def web() -> Iterator[FaultyWeb]:
    with serve_web(CONTENT) as web:
        yield web


@pytest.fixture
def entry(web: FaultyWeb, monkeypatch: pytest.MonkeyPatch) -> ModelEntry:
    """A model whose weights this machine serves, in the place of one of the catalogue."""
    file = PublishedFile(
        web.url(path="weights.safetensors"), hashlib.sha256(CONTENT).hexdigest(), len(CONTENT)
    )
    known = find(NAME)
    served = replace(known, source=Files((Checkpoint(known.slots, (file,)),)))
    monkeypatch.setattr(routes, "CATALOGUE", {**CATALOGUE, NAME: served})
    monkeypatch.setattr(routes, "find", lambda name: served if name == NAME else find(name))
    return served


Model = Callable[[], dict[str, Any]]


@pytest.fixture
def model(running: RunningService) -> Model:
    """What the service says of the model."""
    return lambda: told(running.client)[NAME]


def told(client: httpx.Client) -> dict[str, dict[str, Any]]:
    answer = client.get("/api/models")
    assert answer.status_code == 200
    return {each["name"]: each for each in answer.json()}


def order(client: httpx.Client, name: str = NAME) -> httpx.Response:
    return client.post(f"/api/models/{name}/install")


def code_of(answer: httpx.Response) -> str:
    return answer.json()["error"]["code"]


def test_models_are_listed_with_licence_size_and_quality(running: RunningService):
    models = told(running.client)

    assert list(models) == list(CATALOGUE)
    found = models["htdemucs"]
    assert found["slots"] == ["drums", "bass", "other", "vocals"]
    assert (found["licence"], found["is_allowed"], found["may_install"]) == ("NONE", True, True)
    assert found["terms"].startswith("The code of demucs is under the MIT licence")
    assert found["size_bytes"] == 84_023_856
    assert found["scores"][0]["sdr_db"] == 9.16
    assert (found["is_installed"], found["install"]) == (False, None)
    assert found["missing_libraries"] == []


def test_model_is_installed_while_the_service_runs(
    running: RunningService, web: FaultyWeb, entry: ModelEntry, cache: Path, model: Model
):
    web.answers.append(Answer(sent_bytes=300_000, hang_s=1))

    answer = order(running.client)

    assert answer.status_code == 202
    assert answer.json()["install"]["error"] is None
    await_that(lambda: (model()["install"] or {}).get("done_bytes") == 300_000)
    running_install = model()["install"]
    assert (running_install["phase"], running_install["total_bytes"]) == (
        "downloading", len(CONTENT),
    )  # fmt: skip
    await_that(lambda: model()["is_installed"])
    assert model()["install"] is None
    (file,) = load_files(entry, cache)
    assert file.path.read_bytes() == CONTENT
    assert order(running.client).status_code == 200
    assert web.ranges == [None, "bytes=300000-"]


@pytest.mark.usefixtures("entry")
def test_install_that_is_asked_for_twice_runs_once(
    running: RunningService, web: FaultyWeb, model: Model
):
    web.answers.append(Answer(sent_bytes=1000, hang_s=0.5))

    assert [order(running.client).status_code for _ in range(3)] == [202, 202, 202]

    await_that(lambda: model()["is_installed"])
    assert len(web.asked) == 2


def test_install_that_fails_says_why_and_can_be_tried_again(
    running: RunningService, web: FaultyWeb, entry: ModelEntry, cache: Path, model: Model
):
    web.answers.append(Answer(status=403))
    order(running.client)
    await_that(lambda: bool((model()["install"] or {}).get("error")))

    error = model()["install"]["error"]
    assert error["code"] == "model_download"
    assert "403" in error["detail"]
    assert not model()["is_installed"]
    with pytest.raises(ModelNotInstalled):
        load_files(entry, cache)

    assert order(running.client).json()["install"]["error"] is None
    await_that(lambda: model()["is_installed"])
    assert model()["install"] is None


def test_install_of_an_unknown_model_is_refused(running: RunningService):
    answer = order(running.client, "htdemux")

    assert (answer.status_code, code_of(answer)) == (404, "model_unknown")
    assert "Did you mean htdemucs?" in answer.json()["error"]["detail"]


@pytest.mark.usefixtures("entry")
def test_install_of_a_licence_that_is_not_allowed_is_refused(
    tmp_path: Path, database_conninfo: str, web: FaultyWeb
):
    config = CONFIG + "allow_licences: [MIT]\n"
    with running_service(tmp_path, database_conninfo, config=config) as service:
        found = told(service.client)
        answer = order(service.client)

    assert (found[NAME]["is_allowed"], found[NAME]["may_install"]) == (False, False)
    assert found["spleeter-2stems"]["may_install"]
    assert (answer.status_code, code_of(answer)) == (422, "licence_refused")
    assert web.asked == []


@pytest.mark.usefixtures("entry")
def test_install_is_for_those_who_may_do_everything(guarded: RunningService, web: FaultyWeb):
    assert guarded.client.get("/api/models").status_code == 401
    assert order(guarded.client).status_code == 401
    with guarded.caller(guarded.make_token(Scope.WRITE)) as client:
        assert told(client)[NAME]["may_install"] is False
        assert (order(client).status_code, code_of(order(client))) == (403, "forbidden")
    with guarded.caller(guarded.make_token(Scope.ADMIN)) as client:
        assert told(client)[NAME]["may_install"] is True
    assert web.asked == []
