"""The files for Koyeb: nothing in them that the platform would drop, in step with the images."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from dockerfile import Target, target_of, targets
from koyeb_fields import Compose, ConfigFile, Definition, Docker, Env
from misspelling import misspelt
from password_database import PasswordDatabase
from pydantic import ValidationError
from settings_read import unread
from starting import started

from stemset.config import Settings, load_settings

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "deployment.md"
VARIABLE = re.compile(r"\$\{(\w+)\}")

BUCKET_SECRETS = {"r2-access-key-id": "key", "r2-secret-access-key": "secret key"}
WORKER_SECRET = {"stemset-worker-secret": base64.b64encode(bytes(32)).decode()}


@dataclass(frozen=True)
class Service:
    """A file for Koyeb, and what whoever runs ``koyeb compose`` has.

    Attributes:
        name: Its name, and its image's target.
        deployer: The environment.
        secrets: The platform's secrets.
    """

    name: str
    deployer: dict[str, str]
    secrets: dict[str, str]

    @property
    def file(self) -> Path:
        return ROOT / ".koyeb" / f"{self.name}.yaml"

    def text(self) -> str:
        """Give the file as ``koyeb compose`` reads it: a name that is not set becomes nothing."""
        return VARIABLE.sub(lambda match: self.deployer.get(match[1], ""), self.file.read_text())

    def definition(self) -> Definition:
        (service,) = Compose.model_validate(yaml.safe_load(self.text())).services
        return service.definition

    def settings(self, env: list[Env]) -> Settings:
        """Load what the process loads from these variables."""
        return load_settings(environ=self.environment(env))

    def environment(self, env: list[Env]) -> dict[str, str]:
        return {each.key: each.value or self.secrets[each.secret or ""] for each in env}

    def commented_out(self) -> list[dict[str, Any]]:
        """List the alternatives that stand in comments: ``# - {…}`` and ``# name: value``."""
        pattern = r"^ +# (?:- (\{.*\})|([a-z_]+: \S+)\s+#.*)$"
        found = re.findall(pattern, self.text(), flags=re.MULTILINE)
        return [yaml.safe_load(item or line) for item, line in found]

    def target(self) -> Target:
        return targets()[self.name]


DEPLOYER = {
    "STEMSET_REGISTRY": "registry.example.com/band",
    "R2_ACCOUNT_ID": "0123456789abcdef",
    "R2_BUCKET_NAME": "stemset-media",
}
WORKER = Service("gpu-worker", DEPLOYER, WORKER_SECRET | BUCKET_SECRETS)
API = Service(
    "api",
    {
        **DEPLOYER,
        "GPU_WORKER_URL": "https://gpu-worker-you.koyeb.app",
        "BACKEND_URL": "https://stemset.example.com",
    },
    {"stemset-database-url": "postgresql://stemset@db.example.com/stemset"}
    | WORKER_SECRET
    | BUCKET_SECRETS,
)


@pytest.fixture(params=[WORKER, API], ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> Service:
    return request.param


@pytest.fixture
def written(service: Service) -> dict[str, Any]:
    return yaml.safe_load(service.text())


def test_file_has_only_fields_of_the_platform(written: dict[str, Any]):
    Compose.model_validate(written)


def test_alternatives_in_comments_are_fields_of_the_platform(service: Service):
    alternatives = service.commented_out()

    assert len(alternatives) >= 4
    for alternative in alternatives:
        model = Env if "key" in alternative else Docker
        model.model_validate({"image": "x"} | alternative if model is Docker else alternative)


def test_file_with_a_misspelt_field_is_refused(written: dict[str, Any]):
    mutations = [file for (*_, key), file in misspelt(written) if key != "value"]

    assert len(mutations) > 40
    for mutated in mutations:
        with pytest.raises(ValidationError):
            Compose.model_validate(mutated)


@pytest.mark.parametrize(
    "foreign",
    [
        {"autoscaling": {"min": 0, "max": 1}},
        {"env": [{"name": "R2_BUCKET_NAME", "value": "stemset-media"}]},
        {"scalings": [{"min": 0, "max": 1, "concurrency": 4}]},
        {"ports": [{"port": "8000", "protocol": "http"}]},
        {"config_files": [{"path": "/app/config.yaml", "data": "profiles: []"}]},
    ],
)
def test_file_in_another_format_is_refused(written: dict[str, Any], foreign: dict[str, Any]):
    written["services"][0]["definition"] |= foreign

    with pytest.raises(ValidationError):
        Compose.model_validate(written)


def test_environment_makes_a_process_that_others_may_reach(service: Service):
    settings = service.settings(service.definition().env)

    assert settings.store is not None
    assert settings.store.bucket == "stemset-media"
    assert settings.store.access_key_id == "key"
    assert settings.store.secret_access_key == "secret key"  # noqa: S105 - that of this test
    assert settings.worker_secrets


def test_environment_of_the_service_has_a_database_and_a_worker():
    settings = API.settings(API.definition().env)

    assert settings.database_url == API.secrets["stemset-database-url"]
    assert settings.worker_url == API.deployer["GPU_WORKER_URL"]
    assert settings.backend_url == API.deployer["BACKEND_URL"]


def test_environment_has_no_name_that_the_process_does_not_read(service: Service):
    others = [Env.model_validate(found) for found in service.commented_out() if "key" in found]
    names = service.definition().env + others

    assert len({each.key for each in names}) == len(names) > 6
    assert unread(service.environment(names)) == []


def test_environment_holds_no_secret_in_plain_text(service: Service):
    env = service.definition().env
    in_plain_text = {each.key for each in env if each.value is not None}

    assert in_plain_text == service.deployer.keys() - {"STEMSET_REGISTRY"}
    assert {each.secret for each in env if each.secret} == service.secrets.keys()


def test_worker_sleeps_and_lets_joining_and_cancelling_through():
    (scaling,) = WORKER.definition().scalings
    sleeps = [target.sleep_idle_delay for target in scaling.targets if target.sleep_idle_delay]
    concurrent = [each.concurrent_requests for each in scaling.targets if each.concurrent_requests]

    assert (scaling.min, scaling.max) == (0, 1)
    assert [sleep.deep_sleep_value for sleep in sleeps] == [300]
    assert [limit.value for limit in concurrent] == [4]


def test_service_never_sleeps():
    (scaling,) = API.definition().scalings

    assert (scaling.min, scaling.max) == (1, 1)
    assert scaling.targets == []


def test_profiles_of_the_service_are_split_by_the_worker(tmp_path: Path):
    definition = API.definition()
    (config,) = definition.config_files
    file = tmp_path / "config.yaml"
    file.write_text(config.content)

    settings = load_settings(file, API.environment(definition.env))

    assert config.path == "/app/config.yaml"
    assert API.target().workdir == "/app"
    assert [profile.remote for profile in settings.profiles.values()] == [True]


def test_ports_are_those_of_the_image(service: Service):
    definition = service.definition()
    exposed = [service.target().port]

    (check,) = definition.health_checks
    assert check.http is not None
    assert [port.port for port in definition.ports] == exposed
    assert [route.port for route in definition.routes] == exposed
    assert [check.http.port] == exposed


def test_health_check_is_answered(service: Service, database: PasswordDatabase, tmp_path: Path):
    (check,) = service.definition().health_checks
    assert check.http is not None
    given = {
        "STEMSET_WORKER_SECRET": service.secrets["stemset-worker-secret"],
        "DATABASE_URL": database.new(f"koyeb-{service.name}"),
        "STEMSET_DATA_DIR": str(tmp_path),
    }

    with started(service.target(), tmp_path, given) as url:
        answer = httpx.get(url + check.http.path, timeout=check.timeout)

    assert answer.status_code == 200


def test_image_is_named_after_its_target(service: Service):
    definition = service.definition()

    assert definition.name == service.name
    assert definition.name in targets()
    assert target_of(definition.docker.image) == definition.name


def test_every_name_that_the_deployer_sets_is_explained(service: Service):
    heading, _, rest = service.file.read_text().partition("\napp:")
    used = set(VARIABLE.findall(rest))

    assert used == service.deployer.keys()
    assert [name for name in used if f" {name}=" not in heading] == []


def test_guide_names_every_secret_and_every_variable(service: Service):
    guide = GUIDE.read_text("utf-8")
    created = re.compile(r"koyeb secrets create (\S+)")

    assert service.secrets.keys() <= set(created.findall(guide))
    assert set(created.findall(service.file.read_text())) == service.secrets.keys()
    assert [each.key for each in service.definition().env if each.key not in guide] == []


def test_config_file_without_permissions_is_refused():
    with pytest.raises(ValidationError):
        ConfigFile.model_validate({"path": "/app/config.yaml", "content": ""})
