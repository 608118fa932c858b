"""The manifests: nothing that the server would refuse or drop, in step with images and settings."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import manifests
import pytest
import yaml
from dockerfile import target_of, targets
from keda_fields import ScaledObject, TriggerAuthentication
from manifests import Workload
from misspelling import misspelt
from password_database import PasswordDatabase
from pydantic import ValidationError
from settings_read import unread
from starting import started

from stemset.config import load_settings

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "deployment.md"
WORKLOADS = [Workload("api"), Workload("consumer")]
SECRETS = {
    "DATABASE_URL": "postgresql://stemset@db.example.com/stemset",
    "R2_ACCESS_KEY_ID": "key",
    "R2_SECRET_ACCESS_KEY": "secret key",
}
# Names that whoever deploys it chooses, and quantities of whatever there is.
CHOSEN = {"labels", "matchLabels", "selector", "requests", "limits"}
KEDA = {"ScaledObject": ScaledObject, "TriggerAuthentication": TriggerAuthentication}
BUILT_IN = [each for each in manifests.objects() if each["kind"] not in KEDA]
OF_KEDA = [each for each in manifests.objects() if each["kind"] in KEDA]
OLDEST, NEWEST = "1.25", kubernetes_validate.latest_version()


@pytest.fixture(params=WORKLOADS, ids=lambda workload: workload.name)
def workload(request: pytest.FixtureRequest) -> Workload:
    return request.param


def named(written: dict[str, Any]) -> str:
    return f"{written['kind']}-{written['metadata']['name']}"


def is_field(path: tuple[Any, ...]) -> bool:
    """Whether Kubernetes says what may stand there."""
    is_chosen = path[-2:-1] in {(name,) for name in CHOSEN} and path[-1] != "matchLabels"
    # Without these two no schema is found at all.
    return not is_chosen and path not in {("kind",), ("apiVersion",)}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("written", BUILT_IN, ids=named)
def test_manifest_is_as_kubernetes_wants_it(written: dict[str, Any], version: str):
    kubernetes_validate.validate(written, version, strict=True)


@pytest.mark.parametrize("written", BUILT_IN, ids=named)
def test_manifest_with_a_misspelt_field_is_refused(written: dict[str, Any]):
    mutations = [file for path, file in misspelt(written) if is_field(path)]

    assert len(mutations) > 5
    for mutated in mutations:
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(mutated, NEWEST, strict=True)


@pytest.mark.parametrize("written", OF_KEDA, ids=named)
def test_object_of_keda_has_only_its_fields(written: dict[str, Any]):
    KEDA[written["kind"]].model_validate(written)


@pytest.mark.parametrize("written", OF_KEDA, ids=named)
def test_object_of_keda_with_a_misspelt_field_is_refused(written: dict[str, Any]):
    mutations = [mutated for _, mutated in misspelt(written)]

    assert len(mutations) > 8
    for mutated in mutations:
        with pytest.raises(ValidationError):
            KEDA[written["kind"]].model_validate(mutated)


def test_number_for_keda_that_is_no_text_is_refused():
    written = manifests.the("ScaledObject", "consumer")
    written["spec"]["triggers"][0]["metadata"]["targetQueryValue"] = 1

    with pytest.raises(ValidationError, match="targetQueryValue"):
        ScaledObject.model_validate(written)


def test_kustomization_takes_every_manifest_and_every_file():
    written = manifests.kustomization()
    generated = [
        file
        for each in written["configMapGenerator"]
        for file in each.get("envs", []) + each.get("files", [])
    ]

    there = {file.name for file in manifests.FOLDER.iterdir()}
    assert {*written["resources"], *generated} == there - {manifests.KUSTOMIZATION.name}


def test_workload_reads_what_the_kustomization_makes(workload: Workload):
    generated = {each["name"] for each in manifests.kustomization()["configMapGenerator"]}

    assert set(workload.config_maps()) == generated
    assert workload.mounts()["config"] == "/etc/stemset"


def test_images_are_those_of_targets_and_have_a_place_in_a_registry(workload: Workload):
    image = workload.container["image"]
    placed = {each["name"]: each["newName"] for each in manifests.kustomization()["images"]}

    assert target_of(image) in targets()
    assert target_of(placed[image]) == target_of(image)
    assert len(placed) == len(WORKLOADS)


def test_alternative_for_a_gpu_is_a_target():
    (name,) = re.findall(r"# On a GPU: (\S+),", (manifests.FOLDER / "consumer.yaml").read_text())

    assert targets()[target_of(name)].command == Workload("consumer").target.command


def test_environment_has_no_name_that_the_process_does_not_read(workload: Workload):
    assert unread(workload.environment(SECRETS)) == []


def test_alternatives_in_comments_are_read(workload: Workload):
    comment = (manifests.FOLDER / "settings.env").read_text().partition("\n")[0]
    others = re.findall(r"STEMSET_\w+", comment)

    assert len(others) == 2
    given = workload.environment(SECRETS) | dict.fromkeys(others, "https://s3.example.com")
    assert unread(given) == []


def test_every_secret_is_one_that_the_comment_and_the_guide_name(workload: Workload):
    made = re.compile(r"create secret generic (\S+) --from-env-file")
    kustomization, guide = manifests.KUSTOMIZATION.read_text(), GUIDE.read_text("utf-8")

    assert {name for name, _ in workload.secrets().values()} == set(made.findall(kustomization))
    assert set(made.findall(guide)) == set(made.findall(kustomization))
    for variable, (_, key) in workload.secrets().items():
        assert variable == key
        assert key in kustomization.partition("apiVersion")[0]
        assert key in guide
    assert workload.secrets().keys() == SECRETS.keys()


def test_profiles_are_split_by_consumers(workload: Workload):
    settings = load_settings(environ=workload.environment(SECRETS))

    assert [profile.remote for profile in settings.profiles.values()] == [False]
    assert settings.store is not None
    assert settings.database_url == SECRETS["DATABASE_URL"]


def test_pods_write_to_a_volume_alone_and_as_the_images_user(workload: Workload):
    context = workload.pod["securityContext"]

    assert f"{context['runAsUser']}:{context['runAsGroup']}" == workload.target.user
    assert workload.container["securityContext"]["readOnlyRootFilesystem"] is True
    assert workload.mounts()["files"] == "/tmp"  # noqa: S108 - of the image


def test_ports_are_those_of_the_image():
    container, service = Workload("api").container, manifests.the("Service", "api")["spec"]

    (port,) = container["ports"]
    assert port["containerPort"] == Workload("api").target.port
    assert [each["targetPort"] for each in service["ports"]] == [port["name"]]
    labels = Workload("api").spec["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert "ports" not in Workload("consumer").container


def test_probes_are_answered(database: PasswordDatabase, tmp_path: Path):
    container = Workload("api").container
    probes = {
        name: container[name]["httpGet"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    given = {
        "DATABASE_URL": database.new("kubernetes"),
        "STEMSET_CONFIG": str(manifests.CONFIG),
        "STEMSET_DATA_DIR": str(tmp_path),
    }

    with started(Workload("api").target, tmp_path, given) as url:
        answers = [httpx.get(url + probe["path"], timeout=5) for probe in probes.values()]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert {probe["port"] for probe in probes.values()} == {"http"}


def test_consumers_are_scaled_from_none_and_a_busy_one_is_never_chosen():
    spec = ScaledObject.model_validate(manifests.the("ScaledObject", "consumer")).spec

    assert spec.scale_target_ref.name == "consumer"
    assert "replicas" not in Workload("consumer").spec
    assert spec.min_replica_count == 0
    assert spec.advanced is not None
    assert spec.advanced.horizontal_pod_autoscaler_config is not None
    behavior = spec.advanced.horizontal_pod_autoscaler_config.behavior
    assert behavior is not None
    assert behavior.scale_down is not None
    assert behavior.scale_down.select_policy == "Disabled"


def test_keda_asks_the_database_of_the_consumers():
    (reference,) = manifests.authentication().spec.secret_target_ref
    secrets = Workload("consumer").secrets()

    assert reference.parameter == "connection"
    assert (reference.name, reference.key) == secrets["DATABASE_URL"]


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not here, and Debian 12 has one of 2021"
)
def test_kubectl_puts_it_together():
    done = subprocess.run(
        ["kubectl", "kustomize", manifests.FOLDER],
        env=os.environ | {"KUBECONFIG": os.devnull},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    maps = {each["metadata"]["name"] for each in made if each["kind"] == "ConfigMap"}
    for deployment in (each for each in made if each["kind"] == "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["envFrom"][0]["configMapRef"]["name"] in maps
        assert container["image"].startswith("registry.example.com/band/stemset-")
    for each in made:
        assert each["metadata"]["namespace"] == "stemset"
        if each["kind"] not in KEDA:
            kubernetes_validate.validate(each, NEWEST, strict=True)
