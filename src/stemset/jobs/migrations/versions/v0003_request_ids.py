"""The id of the call that a job came by, which is in the logs of all who have to do with it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the change."""
    op.add_column(
        "jobs", sa.Column("request_id", sa.Text, comment="names the call that it came by")
    )
