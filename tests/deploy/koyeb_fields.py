"""The fields of Koyeb's API that a compose file may have, and no others.

Source: the models ``CreateCompose`` to ``HTTPHealthCheck`` of Koyeb's own API client for Python,
koyeb-sdk 1.5.5. The platform drops a field that it does not know; these models refuse it. What the
images have no use for (building from git, databases, volumes, network rules) is left out.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

Port = Annotated[StrictInt, Field(ge=1, le=65_535)]
Seconds = Annotated[StrictInt, Field(ge=1)]
Count = Annotated[StrictInt, Field(ge=0)]


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Docker(Fields):
    image: StrictStr
    command: StrictStr | None = None
    args: list[StrictStr] | None = None
    entrypoint: list[StrictStr] | None = None
    image_registry_secret: StrictStr | None = None
    privileged: bool | None = None


class InstanceType(Fields):
    type: StrictStr
    scopes: list[StrictStr] | None = None


class Value(Fields):
    value: Count


class SleepIdleDelay(Fields):
    deep_sleep_value: Seconds | None = None
    light_sleep_value: Seconds | None = None
    value: Seconds | None = None


class Target(Fields):
    sleep_idle_delay: SleepIdleDelay | None = None
    concurrent_requests: Value | None = None
    requests_per_second: Value | None = None
    average_cpu: Value | None = None
    average_mem: Value | None = None


class Scaling(Fields):
    min: Count
    max: Annotated[StrictInt, Field(ge=1)]
    targets: list[Target] = []
    scopes: list[StrictStr] | None = None


class Env(Fields):
    key: StrictStr
    value: StrictStr | None = None
    secret: StrictStr | None = None
    scopes: list[StrictStr] | None = None


class PortOf(Fields):
    port: Port
    protocol: Literal["http", "http2", "tcp"]


class Route(Fields):
    port: Port
    path: StrictStr


class HttpHeader(Fields):
    key: StrictStr
    value: StrictStr


class HttpHealthCheck(Fields):
    port: Port
    path: StrictStr
    method: StrictStr | None = None
    headers: list[HttpHeader] | None = None


class TcpHealthCheck(Fields):
    port: Port


class HealthCheck(Fields):
    grace_period: Seconds
    interval: Seconds
    timeout: Seconds
    restart_limit: Count
    http: HttpHealthCheck | None = None
    tcp: TcpHealthCheck | None = None


class ConfigFile(Fields):
    path: StrictStr
    permissions: Annotated[StrictStr, Field(pattern="^0[0-7]{3}$")]
    content: StrictStr


class Definition(Fields):
    name: StrictStr
    type: Literal["WEB", "WORKER"]
    docker: Docker
    regions: list[StrictStr]
    instance_types: list[InstanceType]
    scalings: list[Scaling]
    env: list[Env]
    config_files: list[ConfigFile] = []
    ports: list[PortOf]
    routes: list[Route]
    health_checks: list[HealthCheck]


class Service(Fields):
    definition: Definition


class App(Fields):
    name: StrictStr


class Compose(Fields):
    app: App
    services: list[Service]
