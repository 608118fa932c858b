"""The models: what there is, what is on this machine, and installing one."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from stemset.api.access import Admin, Reader
from stemset.api.auditing import ActorOf
from stemset.api.errors import ErrorDetail, errors
from stemset.api.installing import Installation, Installing, InstallingOf
from stemset.api.service import Service, ServiceOf
from stemset.catalogue.entries import CATALOGUE, check_licence, find, is_allowed
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.installation import InstallPhase
from stemset.catalogue.weights import installed
from stemset.errors import LicenceRefused, UnknownModel
from stemset.jobs import audit
from stemset.jobs.audit import Action
from stemset.jobs.caller import Caller, Scope
from stemset.separation.networks.libraries import HOW_TO_INSTALL, missing_libraries

router = APIRouter(prefix="/api/models", tags=["models"])


class ScoreAnswer(BaseModel):
    """A published quality figure."""

    stem: str
    sdr_db: float = Field(description="Signal to distortion ratio.")
    data: str = Field(description="What it was measured on.")
    source: str


class InstallAnswer(BaseModel):
    """An install that runs, or that failed."""

    phase: InstallPhase
    done_bytes: int | None = Field(description="While it downloads.")
    total_bytes: int | None = Field(description="While it downloads, if it is known.")
    error: ErrorDetail | None = Field(description="Why it failed; null while it runs.")


class CatalogueModel(BaseModel):
    """A model, and whether this machine has it."""

    name: str
    description: str
    slots: list[str] = Field(description="What it estimates.")
    licence: str = Field(description="SPDX identifier; `NONE` where nothing is granted in writing.")
    terms: str = Field(description="Where the licence stands in writing, or what is known of it.")
    is_allowed: bool = Field(description="Whether the operator allows its licence.")
    size_bytes: int | None = Field(description="What is downloaded; null if it is not published.")
    scores: list[ScoreAnswer]
    is_installed: bool = Field(description="Whether the machine of the service has its weights.")
    missing_libraries: list[str] = Field(
        description=f"What it needs and the service lacks: `{HOW_TO_INSTALL}`."
    )
    may_install: bool = Field(description="Whether the caller may install it.")
    install: InstallAnswer | None


@router.get("", operation_id="list_models")
async def list_models(
    service: ServiceOf, caller: Reader, installing: InstallingOf
) -> list[CatalogueModel]:
    """List the models that Stemset knows."""
    return await service.threads.run(_answers, service, caller, installing)


@router.post(
    "/{name}/install",
    operation_id="install_model",
    status_code=202,
    responses={
        200: {"model": CatalogueModel, "description": "The model is here already."},
        **errors(UnknownModel, LicenceRefused),
    },
)
async def install_model(
    *,
    service: ServiceOf,
    caller: Admin,
    actor: ActorOf,
    installing: InstallingOf,
    response: Response,
    name: Annotated[str, Path(description="Name of a model.")],
) -> CatalogueModel:
    """Fetch a model's weights to the service's machine.

    Answers at once; how far it is stands in the list of models. Nothing is done, with status 200,
    if the model is there.
    """
    entry = find(name)
    check_licence(entry, service.settings.allow_licences)
    if await service.threads.run(installed, entry):
        response.status_code = 200
    else:
        async with service.database.transaction() as connection:
            await audit.note(connection, actor, Action.MODEL_INSTALLED, name)
        installing.begin(entry)
    return await service.threads.run(_answer, entry, service, caller, installing)


def _answers(service: Service, caller: Caller, installing: Installing) -> list[CatalogueModel]:
    return [_answer(entry, service, caller, installing) for entry in CATALOGUE.values()]


def _answer(
    entry: ModelEntry, service: Service, caller: Caller, installing: Installing
) -> CatalogueModel:
    # First: an install that ends in between leaves its model, and neither would say that it failed.
    install = installing.of(entry)
    allowed = is_allowed(entry, service.settings.allow_licences)
    return CatalogueModel(
        name=entry.name,
        description=entry.description,
        slots=list(entry.slots),
        licence=entry.licence.spdx,
        terms=entry.licence.read_at,
        is_allowed=allowed,
        size_bytes=entry.source.size_bytes,
        scores=[
            ScoreAnswer(stem=each.stem, sdr_db=each.sdr_db, data=each.data, source=each.source)
            for each in entry.scores
        ],
        is_installed=installed(entry) is not None,
        missing_libraries=list(missing_libraries(entry)),
        may_install=allowed and caller.may(Scope.ADMIN),
        install=_install(install),
    )


def _install(install: Installation | None) -> InstallAnswer | None:
    if install is None:
        return None
    error = install.error
    return InstallAnswer(
        phase=install.progress.phase,
        done_bytes=install.progress.done_bytes,
        total_bytes=install.progress.total_bytes,
        error=error and ErrorDetail(code=error.code, detail=str(error), retryable=error.retryable),
    )
