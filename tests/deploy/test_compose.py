"""The service on one machine: what Compose would refuse, what the images do not read or have."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from dockerfile import target_of, targets
from dotenv import dotenv_values
from misspelling import misspelt
from settings_read import unread

from stemset.config import load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "compose.yaml"
ENV_EXAMPLE = DEPLOY / "env.example"

OURS = ("api", "worker-cpu")
# Names that whoever deploys it chooses: anything may stand there.
CHOSEN = {"services", "volumes", "environment", "depends_on"}
FILLED_IN = {
    "POSTGRES_PASSWORD": "0123456789abcdef",
    "STEMSET_WORKER_SECRET": "A" * 43 + "=",
    "R2_BUCKET_NAME": "band",
    "R2_ACCESS_KEY_ID": "key",
    "R2_SECRET_ACCESS_KEY": "secret key",
    "R2_ACCOUNT_ID": "account",
}
ALL = {
    **FILLED_IN,
    "STEMSET_S3_ENDPOINT": "https://s3.example.com",
    "STEMSET_S3_REGION": "eu-central-1",
    "GPU_WORKER_URL": "https://gpu.example.com",
    "BACKEND_URL": "https://stems.example",
    "STEMSET_PUBLIC_URL": "https://page.example",
    "STEMSET_OIDC_ISSUER": "https://accounts.google.com",
    "STEMSET_OIDC_CLIENT_ID": "id",
    "STEMSET_OIDC_CLIENT_SECRET": "secret",
    "STEMSET_ADMINS": "you@example.org",
    "STEMSET_REGISTRY": "registry.example.com/band",
}
# Source: the Compose specification, "Interpolation"; its other forms are not used.
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class NotSet(Exception):
    """A variable that must be set is not."""


def read(environment: dict[str, str] = ALL) -> dict[str, Any]:
    """Give the file as Compose sees it in an environment."""

    def value(found: re.Match[str]) -> str:
        name, how, rest = found.groups()
        if not environment.get(name) and how == "?":
            raise NotSet(name)
        return environment.get(name) or rest or ""

    return yaml.safe_load(VARIABLE.sub(value, FILE.read_text()))


def compose(written: dict[str, Any]) -> PyCompose:
    """Have it checked. Raises ValueError."""
    checked = PyCompose.from_json(json.dumps(written))
    checked.validate()
    return checked


def is_field(path: tuple[Any, ...]) -> bool:
    """Whether the specification says what may stand there."""
    return not str(path[0]).startswith("x-") and path[-2:-1] not in {(name,) for name in CHOSEN}


@pytest.fixture
def services() -> dict[str, Any]:
    return read()["services"]


@pytest.mark.parametrize("environment", [FILLED_IN, ALL], ids=["least", "all"])
def test_file_is_as_compose_wants_it(environment: dict[str, str]):
    assert compose(read(environment)).service_names() == ["api", "database", "worker-cpu"]


def test_file_with_a_misspelt_field_is_refused():
    mutations = [file for path, file in misspelt(read()) if is_field(path)]

    assert len(mutations) > 30
    for mutated in mutations:
        with pytest.raises(ValueError, match=r"extension key|missing field"):
            compose(mutated)


@pytest.mark.parametrize("name", sorted(FILLED_IN.keys() - {"R2_ACCOUNT_ID"}))
def test_file_without_a_variable_that_it_needs_is_refused(name: str):
    with pytest.raises(NotSet, match=name):
        read({each: value for each, value in FILLED_IN.items() if each != name})


def test_every_variable_that_can_be_set_is_explained():
    used = {name for name, _, _ in VARIABLE.findall(FILE.read_text())}
    explained = set(re.findall(r"^#?(\w+)=", ENV_EXAMPLE.read_text(), flags=re.MULTILINE))

    assert used == explained == ALL.keys()


def test_example_of_the_environment_leaves_open_what_must_be_filled_in():
    given = dotenv_values(ENV_EXAMPLE)

    assert {name for name, value in given.items() if not value} == (
        FILLED_IN.keys() - {"R2_BUCKET_NAME"} | {"STEMSET_S3_ENDPOINT"}
    )
    with pytest.raises(NotSet):
        read({name: value for name, value in given.items() if value})


@pytest.mark.parametrize("name", OURS)
def test_environment_has_no_name_that_the_process_does_not_read(
    services: dict[str, Any], name: str
):
    assert unread(services[name]["environment"]) == []


@pytest.mark.parametrize("name", OURS)
def test_image_is_that_of_the_target_that_is_built(services: dict[str, Any], name: str):
    assert services[name]["build"]["target"] == name
    assert target_of(services[name]["image"]) == name
    assert name in targets()


def test_service_orders_the_worker_on_the_loopback_that_they_share(services: dict[str, Any]):
    least = read(FILLED_IN)["services"]["api"]["environment"]
    worker = targets()["worker-cpu"]

    assert least["GPU_WORKER_URL"] == f"http://127.0.0.1:{worker.port}"
    assert services["worker-cpu"]["network_mode"] == "service:api"
    assert services["worker-cpu"]["profiles"] == ["worker-cpu"]
    assert load_settings(environ=least).worker_secrets


def test_service_is_reached_from_this_machine_alone(services: dict[str, Any]):
    port = targets()["api"].port

    assert services["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert [name for name, each in services.items() if "ports" in each] == ["api"]


def test_service_reads_the_profiles_beside_the_file(services: dict[str, Any]):
    (config,) = (each for each in services["api"]["volumes"] if each.startswith("./"))
    source, place, mode = config.split(":")

    settings = load_settings(DEPLOY / source, services["api"]["environment"])

    assert (place, mode) == (f"{targets()['api'].workdir}/config.yaml", "ro")
    assert [profile.remote for profile in settings.profiles.values()] == [True]


def test_database_is_the_one_that_the_service_is_told(services: dict[str, Any]):
    database = services["database"]["environment"]
    url = "postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@database/{POSTGRES_DB}"

    assert services["api"]["environment"]["DATABASE_URL"] == url.format(**database)
    assert services["api"]["depends_on"] == {"database": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", OURS)
def test_images_may_write_to_a_volume_alone(services: dict[str, Any], name: str):
    service = services[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert [each for each in service["volumes"] if each.endswith(":/tmp")] != []
