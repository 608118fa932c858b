"""Housekeeping: what the service does again and again beside its jobs."""

from collections.abc import Sequence
from datetime import timedelta

from stemset.api.exports import desk as exports
from stemset.api.service import Service
from stemset.api.uploads.collection import collect
from stemset.jobs.adoption import adopt
from stemset.jobs.coordination import Chore
from stemset.jobs.orphans import collect_orphans
from stemset.jobs.removal import work_off


def chores_of(service: Service) -> Sequence[Chore]:
    """Everything that is to be done from time to time; each bears being done by several."""
    parts = service.database, service.store, service.threads
    expires = timedelta(seconds=service.settings.upload_expires_s)
    return (
        lambda: work_off(*parts),
        lambda: adopt(*parts),
        lambda: collect(service, expires),
        lambda: exports.collect(service),
        lambda: collect_orphans(*parts),
    )
