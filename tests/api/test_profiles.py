from pathlib import Path

import httpx
from service_client import CONFIG, RunningService, running_service

from stemset.catalogue.strategies import BUILT_IN
from stemset.jobs.caller import Scope


def test_profiles_are_listed_as_configured(client: httpx.Client):
    assert client.get("/api/profiles").json() == [
        {
            "name": "h4n",
            "strategy": "spleeter-2stems",
            "stems": ["vocals", "accompaniment"],
            "remote": False,
            "output": {"format": "opus", "bitrate": None, "depth": None},
            "realtime_factor": None,
            "waking_s": None,
            "price": None,
            "spent": None,
            "monthly_cap": None,
        },
        {
            "name": "songs",
            "strategy": "drop-vocals",
            "stems": ["rest"],
            "remote": True,
            "output": {"format": "mp3", "bitrate": 320, "depth": None},
            "realtime_factor": None,
            "waking_s": None,
            "price": None,
            "spent": None,
            "monthly_cap": None,
        },
    ]


def test_strategies_are_listed_with_trees_and_licences(client: httpx.Client):
    found = {each["name"]: each for each in client.get("/api/strategies").json()}

    assert set(found) == {*BUILT_IN, "drop-vocals"}
    own = found["drop-vocals"]
    assert own["tree"] == {"_": "spleeter-2stems", "accompaniment": "rest"}
    assert own["stems"] == ["rest"]
    (model,) = own["models"]
    assert (model["name"], model["licence"], model["is_allowed"]) == (
        "spleeter-2stems",
        "MIT",
        True,
    )
    assert "Deezer" in model["attribution"]


def test_strategies_say_which_licences_are_not_allowed(tmp_path: Path, database_conninfo: str):
    config = CONFIG + "allow_licences: [Apache-2.0]\n"
    with running_service(tmp_path, database_conninfo, config=config) as service:
        for each in service.client.get("/api/strategies").json():
            assert {model["is_allowed"] for model in each["models"]} == {False}


def test_token_limited_to_a_profile_sees_no_other(guarded: RunningService):
    with guarded.caller(guarded.make_token(Scope.READ, "songs")) as client:
        profiles = [each["name"] for each in client.get("/api/profiles").json()]
        strategies = [each["name"] for each in client.get("/api/strategies").json()]

    assert profiles == ["songs"]
    assert strategies == ["drop-vocals"]


def test_profiles_need_a_token_where_calls_do(guarded: RunningService):
    assert guarded.client.get("/api/profiles").status_code == 401
    assert guarded.client.get("/api/strategies").status_code == 401


def test_profile_that_is_none_is_refused_with_nothing_that_is_not_the_callers(
    guarded: RunningService,
):
    wanted = {"profile_name": "none", "filename": "a.wav"}
    with guarded.caller(guarded.make_token(Scope.WRITE, "songs")) as client:
        error = client.post("/api/process", json=wanted).json()["error"]

    assert error["code"] == "profile_unknown"
    assert error["detail"] == "There is no profile 'none'. Known profiles: songs."
