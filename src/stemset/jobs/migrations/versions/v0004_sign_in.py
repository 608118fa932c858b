"""Who may sign in by browser, who has, and what was done that people may ask about later."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the change."""
    now = sa.text("now()")
    op.create_table(
        "members",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False, comment="in small letters"),
        sa.Column("role", sa.Text, nullable=False, comment="member, admin"),
        sa.Column("profiles", JSONB, comment="names, none for all"),
        sa.Column(
            "from_config",
            sa.Boolean,
            nullable=False,
            comment="whether the configuration names it",
        ),
        sa.Column("name", sa.Text, comment="what the provider calls the person"),
        sa.Column("subject", sa.Text, comment="the provider's account, once the person signed in"),
        _moment("added_at", now),
        _moment("signed_in_at"),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("email", name="uq_members_email"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("member_id", sa.Text, nullable=False),
        sa.Column("flow", sa.Text, nullable=False, comment="the sign-in that it came of"),
        _moment("created_at", now),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _moment("ended_at"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("flow", name="uq_sessions_flow"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_sessions_member_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sessions_member_id", "sessions", ["member_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        _moment("at", now),
        sa.Column("actor", sa.Text, nullable=False, comment="what people call who did it"),
        sa.Column("actor_id", sa.Text, comment="a token's, a member's, local"),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, comment="what it was done to, for people"),
        sa.Column("detail", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("address", sa.Text, comment="where the call came from"),
        sa.Column("request_id", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def _moment(name: str, default: sa.TextClause | None = None) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=default, nullable=default is None
    )
