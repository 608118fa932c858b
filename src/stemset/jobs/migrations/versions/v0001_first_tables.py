"""The first tables, and Procrastinate's as of its 3.10."""

from pathlib import Path
from typing import cast

import psycopg
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
NOW = sa.func.now()
QUEUE = Path(__file__).with_name("v0001_procrastinate.sql")


def upgrade() -> None:
    """Make the change."""
    _recordings()
    _uploads()
    _jobs()
    _attempts()
    _usage()
    _outputs()
    _events()
    _tokens()
    _secrets()
    _doomed()
    _queue()


def _recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column(
            "name", sa.Text, nullable=False, comment="what people call it; they can rename it"
        ),
        sa.Column("filename", sa.Text, nullable=False, comment="the newest upload's file name"),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("duration_s", sa.Double),
        sa.Column("rate_hz", sa.Integer),
        sa.Column("channels", sa.Integer),
        sa.Column(
            "input_key", sa.Text, comment="where it lies in the store; none once it was collected"
        ),
        sa.Column(
            "is_proven",
            sa.Boolean,
            nullable=False,
            comment="whether somebody of ours saw these bytes have this hash",
        ),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.PrimaryKeyConstraint("sha256", name="pk_recordings"),
    )
    op.create_index("ix_recordings_created_at_sha256", "recordings", ["created_at", "sha256"])


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False, comment="whole, direct, presigned"),
        sa.Column("size_bytes", sa.BigInteger, comment="as the client says"),
        sa.Column("part_bytes", sa.Integer),
        sa.Column("sha256", sa.Text, comment="as the client says, then as it was found"),
        sa.Column("mark", sa.Text, comment="how the client knows the file again after a reload"),
        sa.Column(
            "received",
            JSONB,
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="part numbers",
        ),
        sa.Column("input_key", sa.Text),
        sa.Column("multipart_id", sa.Text, comment="the bucket's name of an upload in parts"),
        sa.Column("state", sa.Text, nullable=False, comment="receiving, complete"),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("touched_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_owner_filename", "uploads", ["owner", "filename", "completed_at"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("input_key", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("output_name", sa.Text, nullable=False),
        sa.Column("strategy_name", sa.Text, nullable=False),
        sa.Column("strategy", JSONB, nullable=False),
        sa.Column("output", JSONB, nullable=False, comment="format, bitrate, depth"),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("retry_of", sa.Text),
        sa.Column("is_current", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("phase", sa.Text),
        sa.Column("progress", sa.Double, server_default=sa.text("0"), nullable=False),
        sa.Column("eta_s", sa.Double),
        sa.Column("error", JSONB, comment="code, detail, retryable"),
        sa.Column("stems", JSONB, comment="names, once complete"),
        sa.Column("attempt", sa.Text, comment="folder of the attempt that won"),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.ForeignKeyConstraint(["retry_of"], ["jobs.id"], name="fk_jobs_retry_of"),
        sa.ForeignKeyConstraint(["sha256"], ["recordings.sha256"], name="fk_jobs_sha256"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_created_at_id", "jobs", ["created_at", "id"])
    op.create_index(
        "ix_jobs_current",
        "jobs",
        ["profile", "output_name", "sha256", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_index(
        "ix_jobs_open",
        "jobs",
        ["queue", "created_at"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_jobs_sha256", "jobs", ["sha256"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("folder", sa.Text, nullable=False, comment="its name below the output's"),
        sa.Column("runner", sa.Text, nullable=False, comment="worker, local"),
        sa.Column("device", sa.Text),
        sa.Column(
            "outcome", sa.Text, comment="complete, failed, interrupted, passed_over, cancelled"
        ),
        sa.Column("error", JSONB),
        sa.Column("timings", JSONB),
        sa.Column(
            "computing_s",
            sa.Double,
            server_default=sa.text("0"),
            nullable=False,
            comment="its cost",
        ),
        sa.Column("began_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("accepted_at", MOMENT),
        sa.Column("touched_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_attempts_job_id"),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_attempts"),
    )


def _usage() -> None:
    op.create_table(
        "usage",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("audio_s", sa.Double),
        sa.Column("computing_s", sa.Double, nullable=False, comment="of the attempt that won"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("completed_at", MOMENT, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_usage_job_id"),
        sa.PrimaryKeyConstraint("job_id", name="pk_usage"),
    )


def _outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("output_name", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, comment="none if it was adopted"),
        sa.Column("state", sa.Text, nullable=False, comment="reserved, whole"),
        sa.Column("metadata", JSONB, comment="metadata.json, once whole"),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_outputs_job_id"),
        sa.ForeignKeyConstraint(["sha256"], ["recordings.sha256"], name="fk_outputs_sha256"),
        sa.PrimaryKeyConstraint("profile", "output_name", name="pk_outputs"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_outputs_sha256", "outputs", ["sha256"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="job, recording, output"),
        sa.Column("subject", sa.Text, nullable=False, comment="its id"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False, comment="read, write, admin"),
        sa.Column("profiles", JSONB, comment="names, none for all"),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("used_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_index(
        "ix_tokens_name",
        "tokens",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _secrets() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False, comment="made once, shared by all processes"),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )


def _doomed() -> None:
    op.create_table(
        "doomed",
        sa.Column(
            "key", sa.Text, nullable=False, comment="an object's, or a folder's with a slash"
        ),
        sa.Column(
            "subject", sa.Text, nullable=False, comment="an output's prefix, a recording's sha256"
        ),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_doomed"),
    )
    op.create_index("ix_doomed_subject", "doomed", ["subject"])


def _queue() -> None:
    """Run the file as it is: several statements at once, and none of its ``%`` is a placeholder."""
    driver = cast("psycopg.Connection", op.get_bind().connection.driver_connection)
    driver.execute(QUEUE.read_bytes())
