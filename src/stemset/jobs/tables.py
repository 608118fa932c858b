"""The tables. What a column may hold beyond its type is said in the room that writes it.

Times are set by the database's clock (``now()``), so that machines whose clocks differ agree.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _moment(name: str, *, now: bool = False) -> Column[object]:
    default = func.now() if now else None
    return Column(name, DateTime(timezone=True), server_default=default, nullable=not now)


recordings = Table(
    "recordings",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("name", Text, nullable=False, comment="what people call it; they can rename it"),
    Column("filename", Text, nullable=False, comment="the newest upload's file name"),
    Column("bytes", BigInteger, nullable=False),
    Column("duration_s", Double),
    Column("rate_hz", Integer),
    Column("channels", Integer),
    Column("input_key", Text, comment="where it lies in the store; none once it was collected"),
    Column(
        "is_proven",
        Boolean,
        nullable=False,
        comment="whether somebody of ours saw these bytes have this hash",
    ),
    Column("owner", Text, nullable=False),
    _moment("created_at", now=True),
    _moment("deleted_at"),
    Index("ix_recordings_created_at_sha256", "created_at", "sha256"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("method", Text, nullable=False, comment="whole, direct, presigned"),
    Column("size_bytes", BigInteger, comment="as the client says"),
    Column("part_bytes", Integer),
    Column("sha256", Text, comment="as the client says, then as it was found"),
    Column("mark", Text, comment="how the client knows the file again after a reload"),
    Column("received", JSONB, nullable=False, server_default=text("'[]'"), comment="part numbers"),
    Column("input_key", Text),
    Column("multipart_id", Text, comment="the bucket's name of an upload in parts"),
    Column("state", Text, nullable=False, comment="receiving, complete"),
    _moment("created_at", now=True),
    _moment("touched_at", now=True),
    _moment("completed_at"),
    Index("ix_uploads_owner_filename", "owner", "filename", "completed_at"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, ForeignKey("recordings.sha256"), nullable=False),
    Column("filename", Text, nullable=False),
    Column("input_key", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("output_name", Text, nullable=False),
    Column("strategy_name", Text, nullable=False),
    Column("strategy", JSONB, nullable=False),
    Column("output", JSONB, nullable=False, comment="format, bitrate, depth"),
    Column("fingerprint", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("retry_of", Text, ForeignKey("jobs.id")),
    Column("is_current", Boolean, nullable=False, server_default=text("true")),
    Column("state", Text, nullable=False),
    Column("phase", Text),
    Column("progress", Double, nullable=False, server_default=text("0")),
    Column("eta_s", Double),
    Column("error", JSONB(none_as_null=True), comment="code, detail, retryable"),
    Column("stems", JSONB(none_as_null=True), comment="names, once complete"),
    Column("attempt", Text, comment="folder of the attempt that won"),
    Column("request_id", Text, comment="names the call that it came by"),
    Column("held", Text, comment="why it is not begun, for people"),
    _moment("created_at", now=True),
    _moment("started_at"),
    _moment("ended_at"),
    Index("ix_jobs_created_at_id", "created_at", "id"),
    Index("ix_jobs_sha256", "sha256"),
    Index(
        "ix_jobs_current",
        "profile",
        "output_name",
        "sha256",
        "fingerprint",
        unique=True,
        postgresql_where=text("is_current"),
    ),
    Index("ix_jobs_open", "queue", "created_at", postgresql_where=text("ended_at IS NULL")),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("folder", Text, nullable=False, comment="its name below the output's"),
    Column("runner", Text, nullable=False, comment="worker, local"),
    Column("device", Text),
    Column("outcome", Text, comment="complete, failed, interrupted, passed_over, cancelled"),
    Column("error", JSONB(none_as_null=True)),
    Column("timings", JSONB(none_as_null=True)),
    Column("computing_s", Double, nullable=False, server_default=text("0"), comment="its cost"),
    Column("transfer_s", Double, nullable=False, server_default=text("0"), comment="of it"),
    Column("price_hour", Double, comment="none if nothing is paid"),
    Column("currency", Text),
    Column("idle_s", Double, comment="the longest that it idles afterwards"),
    _moment("began_at", now=True),
    _moment("accepted_at"),
    _moment("touched_at", now=True),
    _moment("ended_at"),
    Index("ix_attempts_ended_at", "ended_at"),
)

usage = Table(
    "usage",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("audio_s", Double),
    Column("computing_s", Double, nullable=False, comment="of the attempt that won"),
    Column("attempts", Integer, nullable=False),
    _moment("completed_at", now=True),
)

outputs = Table(
    "outputs",
    metadata,
    Column("profile", Text, primary_key=True),
    Column("output_name", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("sha256", Text, ForeignKey("recordings.sha256"), nullable=False),
    Column("job_id", Text, ForeignKey("jobs.id"), comment="none if it was adopted"),
    Column("state", Text, nullable=False, comment="reserved, whole"),
    Column("metadata", JSONB(none_as_null=True), comment="metadata.json, once whole"),
    _moment("created_at", now=True),
    _moment("completed_at"),
    Index("ix_outputs_sha256", "sha256"),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _moment("at", now=True),
    Column("kind", Text, nullable=False, comment="job, recording, output"),
    Column("subject", Text, nullable=False, comment="its id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("scope", Text, nullable=False, comment="read, write, admin"),
    Column("profiles", JSONB(none_as_null=True), comment="names, none for all"),
    _moment("created_at", now=True),
    _moment("expires_at"),
    _moment("revoked_at"),
    _moment("used_at"),
    Index("ix_tokens_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
)

members = Table(
    "members",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True, comment="in small letters"),
    Column("role", Text, nullable=False, comment="member, admin"),
    Column("profiles", JSONB(none_as_null=True), comment="names, none for all"),
    Column("from_config", Boolean, nullable=False, comment="whether the configuration names it"),
    Column("name", Text, comment="what the provider calls the person"),
    Column("subject", Text, comment="the provider's account, once the person signed in"),
    _moment("added_at", now=True),
    _moment("signed_in_at"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret_sha256", Text, nullable=False),
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("flow", Text, nullable=False, unique=True, comment="the sign-in that it came of"),
    _moment("created_at", now=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    _moment("ended_at"),
    Index("ix_sessions_member_id", "member_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _moment("at", now=True),
    Column("actor", Text, nullable=False, comment="what people call who did it"),
    Column("actor_id", Text, comment="a token's, a member's, local"),
    Column("action", Text, nullable=False),
    Column("subject", Text, comment="what it was done to, for people"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    Column("address", Text, comment="where the call came from"),
    Column("request_id", Text),
    Index("ix_audit_at", "at"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False, comment="made once, shared by all processes"),
)

doomed = Table(
    "doomed",
    metadata,
    Column("key", Text, primary_key=True, comment="an object's, or a folder's with a slash"),
    Column("subject", Text, nullable=False, comment="an output's prefix, a recording's sha256"),
    _moment("created_at", now=True),
    Index("ix_doomed_subject", "subject"),
)
