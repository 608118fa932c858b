"""The manifests for Kubernetes, as they are written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dockerfile import Target, target_of, targets
from dotenv import dotenv_values
from keda_fields import ScaledObject, Trigger, TriggerAuthentication

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
CONFIG = FOLDER / "config.yaml"
KUSTOMIZATION = FOLDER / "kustomization.yaml"

# Where the manifests put CONFIG.
_MOUNTED = Path("/etc/stemset/config.yaml")


def objects() -> Iterator[dict[str, Any]]:
    """Give every object of every manifest."""
    for file in sorted(FOLDER.glob("*.yaml")):
        if file not in {CONFIG, KUSTOMIZATION}:
            yield from yaml.safe_load_all(file.read_text())


def the(kind: str, name: str) -> dict[str, Any]:
    """Give one of them."""
    (found,) = [
        each for each in objects() if (each["kind"], each["metadata"]["name"]) == (kind, name)
    ]
    return found


def kustomization() -> dict[str, Any]:
    return yaml.safe_load(KUSTOMIZATION.read_text())


def settings() -> dict[str, str]:
    """Give the variables of ``settings.env``."""
    return {name: value or "" for name, value in dotenv_values(FOLDER / "settings.env").items()}


def trigger() -> Trigger:
    """Give what scales the consumers."""
    (only,) = ScaledObject.model_validate(the("ScaledObject", "consumer")).spec.triggers
    return only


def authentication() -> TriggerAuthentication:
    """Give what the trigger signs in with."""
    name = trigger().authentication_ref.name
    return TriggerAuthentication.model_validate(the("TriggerAuthentication", name))


@dataclass(frozen=True)
class Workload:
    """A deployment of one container.

    Attributes:
        name: Its name.
    """

    name: str

    @property
    def spec(self) -> dict[str, Any]:
        return the("Deployment", self.name)["spec"]

    @property
    def pod(self) -> dict[str, Any]:
        return self.spec["template"]["spec"]

    @property
    def container(self) -> dict[str, Any]:
        (only,) = self.pod["containers"]
        return only

    @property
    def target(self) -> Target:
        """What its image is built from."""
        return targets()[target_of(self.container["image"])]

    def secrets(self) -> dict[str, tuple[str, str]]:
        """List the variables that come from a secret: its name, and the key in it."""
        found = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in self.container["env"]}
        return {variable: (each["name"], each["key"]) for variable, each in found.items()}

    def environment(self, secrets: dict[str, str]) -> dict[str, str]:
        """Give its environment, with the configuration where it is on this machine."""
        given = {name: secrets[key] for name, (_, key) in self.secrets().items()} | settings()
        assert given["STEMSET_CONFIG"] == str(_MOUNTED)
        return given | {"STEMSET_CONFIG": str(CONFIG)}

    def mounts(self) -> dict[str, str]:
        """List where volumes are mounted, by their names."""
        return {each["name"]: each["mountPath"] for each in self.container["volumeMounts"]}

    def config_maps(self) -> list[str]:
        """List the config maps that it reads."""
        variables = [each["configMapRef"]["name"] for each in self.container["envFrom"]]
        files = [each["configMap"]["name"] for each in self.pod["volumes"] if "configMap" in each]
        return variables + files
