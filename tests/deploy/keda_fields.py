"""The fields of KEDA's objects that the manifests may have, and no others.

Source: the custom resource definitions ``keda.sh_scaledobjects`` and
``keda.sh_triggerauthentications`` of KEDA 2, and what its PostgreSQL scaler reads of a trigger.
Kubernetes drops a field that a definition does not have; these models refuse it. What is not used
(fallback, other ways to a secret, other triggers) is left out.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr
from pydantic.alias_generators import to_camel

Count = Annotated[StrictInt, Field(ge=0)]
Seconds = Annotated[StrictInt, Field(ge=1)]
# Kubernetes takes texts alone there.
Number = Annotated[StrictStr, Field(pattern=r"^\d+(\.\d+)?$")]


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Named(Fields):
    name: StrictStr


class ScaleTargetRef(Fields):
    name: StrictStr
    api_version: StrictStr = "apps/v1"
    kind: StrictStr = "Deployment"


class ScalingPolicy(Fields):
    type: Literal["Pods", "Percent"]
    value: Seconds
    period_seconds: Annotated[StrictInt, Field(ge=1, le=1800)]


class ScalingRules(Fields):
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    stabilization_window_seconds: Annotated[StrictInt, Field(ge=0, le=3600)] | None = None
    policies: list[ScalingPolicy] | None = None


class Behavior(Fields):
    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class HorizontalPodAutoscalerConfig(Fields):
    name: StrictStr | None = None
    behavior: Behavior | None = None


class Advanced(Fields):
    restore_to_original_replica_count: bool | None = None
    horizontal_pod_autoscaler_config: HorizontalPodAutoscalerConfig | None = None


class PostgresqlMetadata(Fields):
    query: StrictStr
    target_query_value: Number
    activation_target_query_value: Number = "0"


class Trigger(Fields):
    type: Literal["postgresql"]
    metadata: PostgresqlMetadata
    authentication_ref: Named
    metric_type: Literal["AverageValue", "Value"] = "AverageValue"
    name: StrictStr | None = None


class ScaledObjectSpec(Fields):
    scale_target_ref: ScaleTargetRef
    triggers: list[Trigger]
    polling_interval: Seconds = 30
    cooldown_period: Count = 300
    initial_cooldown_period: Count | None = None
    min_replica_count: Count = 0
    max_replica_count: Seconds = 100
    advanced: Advanced | None = None


class ScaledObject(Fields):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: Named
    spec: ScaledObjectSpec


class SecretTargetRef(Fields):
    # All that the PostgreSQL scaler takes from an authentication.
    parameter: Literal["connection", "host", "port", "userName", "password", "dbName", "sslmode"]
    name: StrictStr
    key: StrictStr


class TriggerAuthenticationSpec(Fields):
    secret_target_ref: list[SecretTargetRef]


class TriggerAuthentication(Fields):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["TriggerAuthentication"]
    metadata: Named
    spec: TriggerAuthenticationSpec
