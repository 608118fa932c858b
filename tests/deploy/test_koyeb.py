"""The file for Koyeb: nothing in it that the platform would drop, and in step with the image."""

import base64
import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from koyeb_fields import Compose, Definition, Docker, Env
from pydantic import ValidationError

from stemset.config import Settings, load_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".koyeb" / "gpu-worker.yaml"
GUIDE = ROOT / "docs" / "deployment.md"
DOCKERFILE = ROOT / "Dockerfile"
VARIABLE = re.compile(r"\$\{(\w+)\}")

# What whoever runs `koyeb compose` has in the environment.
DEPLOYER = {
    "STEMSET_REGISTRY": "registry.example.com/band",
    "R2_ACCOUNT_ID": "0123456789abcdef",
    "R2_BUCKET_NAME": "stemset-media",
}
SECRETS = {
    "stemset-worker-secret": base64.b64encode(bytes(32)).decode(),
    "r2-access-key-id": "key",
    "r2-secret-access-key": "secret key",
}


def text() -> str:
    """Give the file as ``koyeb compose`` reads it: a name that is not set becomes nothing."""
    return VARIABLE.sub(lambda match: DEPLOYER.get(match[1], ""), FILE.read_text("utf-8"))


@pytest.fixture
def written() -> dict[str, Any]:
    return yaml.safe_load(text())


@pytest.fixture
def definition(written: dict[str, Any]) -> Definition:
    (service,) = Compose.model_validate(written).services
    return service.definition


def worker_settings(env: list[Env]) -> Settings:
    """Load what the worker loads from these variables."""
    return load_settings(
        environ={each.key: each.value or SECRETS[each.secret or ""] for each in env}
    )


def commented_out() -> list[dict[str, Any]]:
    """List the alternatives that stand in comments: ``# - {…}`` and ``# name: value``."""
    found = re.findall(r"^ +# (?:- (\{.*\})|([a-z_]+: \S+)\s+#.*)$", text(), flags=re.MULTILINE)
    return [yaml.safe_load(item or line) for item, line in found]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the paths of all mappings below a value."""
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def test_file_has_only_fields_of_the_platform(written: dict[str, Any]):
    Compose.model_validate(written)


def test_alternatives_in_comments_are_fields_of_the_platform():
    alternatives = commented_out()

    assert len(alternatives) >= 4
    for alternative in alternatives:
        model = Env if "key" in alternative else Docker
        model.model_validate({"image": "x"} | alternative if model is Docker else alternative)


def test_file_with_a_misspelt_field_is_refused(written: dict[str, Any]):
    misspelt = [
        (path, key) for path in places(written) for key in at(written, path) if key != "value"
    ]

    assert len(misspelt) > 40
    for path, key in misspelt:
        mutated = copy.deepcopy(written)
        mapping = at(mutated, path)
        mapping[f"{key}s"] = mapping.pop(key)
        with pytest.raises(ValidationError):
            Compose.model_validate(mutated)


@pytest.mark.parametrize(
    "foreign",
    [
        {"autoscaling": {"min": 0, "max": 1}},
        {"env": [{"name": "R2_BUCKET_NAME", "value": "stemset-media"}]},
        {"scalings": [{"min": 0, "max": 1, "concurrency": 4}]},
        {"ports": [{"port": "8000", "protocol": "http"}]},
    ],
)
def test_file_in_another_format_is_refused(written: dict[str, Any], foreign: dict[str, Any]):
    written["services"][0]["definition"] |= foreign

    with pytest.raises(ValidationError):
        Compose.model_validate(written)


def test_environment_makes_a_worker_that_others_may_reach(definition: Definition):
    settings = worker_settings(definition.env)

    assert settings.store is not None
    assert settings.store.bucket == "stemset-media"
    assert settings.store.access_key_id == "key"
    assert settings.store.secret_access_key == "secret key"  # noqa: S105 - that of this test
    assert settings.worker_secrets


def test_environment_has_no_name_that_the_worker_does_not_read(definition: Definition):
    others = [Env.model_validate(found) for found in commented_out() if "key" in found]
    names = definition.env + others
    assert len({each.key for each in names}) == len(names) > 6
    full = worker_settings(names)

    for left_out in names:
        try:
            settings = worker_settings([each for each in names if each is not left_out])
        except Exception:  # noqa: BLE001, S112 - it is missed, so it is read
            continue
        # An endpoint of one's own wins over the account.
        assert settings != full or left_out.key == "R2_ACCOUNT_ID"


def test_environment_holds_no_secret_in_plain_text(definition: Definition):
    in_plain_text = [each.key for each in definition.env if each.value is not None]

    assert in_plain_text == ["R2_ACCOUNT_ID", "R2_BUCKET_NAME"]
    assert {each.secret for each in definition.env if each.secret} == SECRETS.keys()


def test_scaling_sleeps_and_lets_joining_and_cancelling_through(definition: Definition):
    (scaling,) = definition.scalings
    sleeps = [target.sleep_idle_delay for target in scaling.targets if target.sleep_idle_delay]
    concurrent = [each.concurrent_requests for each in scaling.targets if each.concurrent_requests]

    assert (scaling.min, scaling.max) == (0, 1)
    assert [sleep.deep_sleep_value for sleep in sleeps] == [300]
    assert [limit.value for limit in concurrent] == [4]


def test_ports_are_those_of_the_image(definition: Definition):
    exposed = [
        int(port) for port in re.findall(r"^EXPOSE (\d+)$", DOCKERFILE.read_text(), re.MULTILINE)
    ]

    (check,) = definition.health_checks
    assert check.http is not None
    assert [port.port for port in definition.ports] == exposed
    assert [route.port for route in definition.routes] == exposed
    assert [check.http.port] == exposed


def test_health_check_is_answered_by_the_worker(definition: Definition, tmp_path: Path):
    (check,) = definition.health_checks
    assert check.http is not None
    command = [sys.executable, "-m", "stemset", "worker", "--port", "0"]
    secret = {"STEMSET_WORKER_SECRET": SECRETS["stemset-worker-secret"]}

    with subprocess.Popen(
        command, cwd=tmp_path, env=secret, stderr=subprocess.PIPE, text=True
    ) as worker:
        try:
            assert worker.stderr is not None
            first = json.loads(worker.stderr.readline())
            answer = httpx.get(first["url"] + check.http.path, timeout=check.timeout)
        finally:
            worker.terminate()
            worker.communicate(timeout=20)

    assert answer.status_code == 200
    assert worker.returncode == 0


def test_image_is_named_after_its_target(definition: Definition):
    targets = re.findall(r"^FROM .* AS (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    name = definition.docker.image.rpartition("/")[2].partition(":")[0]

    assert definition.name in targets
    assert name == f"stemset-{definition.name}"


def test_every_name_that_the_deployer_sets_is_explained():
    heading, _, rest = FILE.read_text("utf-8").partition("\napp:")
    used = set(VARIABLE.findall(rest))

    assert used == DEPLOYER.keys()
    assert [name for name in used if f" {name}=" not in heading] == []


def test_guide_names_every_secret_and_every_variable(definition: Definition):
    guide = GUIDE.read_text("utf-8")
    created = re.compile(r"koyeb secrets create (\S+)")

    assert set(created.findall(guide)) == SECRETS.keys()
    assert set(created.findall(FILE.read_text("utf-8"))) == SECRETS.keys()
    assert [each.key for each in definition.env if each.key not in guide] == []
