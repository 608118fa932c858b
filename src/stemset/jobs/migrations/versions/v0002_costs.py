"""What attempts cost: seconds by what they went for, and their price; and jobs that are held."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ZERO = sa.text("0")


def upgrade() -> None:
    """Make the change."""
    for column in (
        sa.Column("transfer_s", sa.Double, nullable=False, server_default=ZERO, comment="of it"),
        sa.Column("price_hour", sa.Double, comment="none if nothing is paid"),
        sa.Column("currency", sa.Text),
        sa.Column("idle_s", sa.Double, comment="the longest that it idles afterwards"),
    ):
        op.add_column("attempts", column)
    op.create_index("ix_attempts_ended_at", "attempts", ["ended_at"])
    op.add_column("jobs", sa.Column("held", sa.Text, comment="why it is not begun, for people"))
