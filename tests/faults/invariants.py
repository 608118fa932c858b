"""What must hold after every fault, read from the database and the store themselves.

I1 every accepted job has ended, and not later than its attempts may have taken; I2 none that is
open is without an entry of the queue; I3 one usage row for each complete job and none for others;
I4 the stems of complete jobs stand as the manifest says; I5 nothing lies below an output's name
that no attempt of the ledger left, and nothing in the store is older than it may be that is no
output's, recording's or upload's; I6 no attempt is open that nobody is at, there are no more than
the budget allows, and those that came to nothing took no more than their number times the job's
length.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from stemset.jobs.attempts import LIMITS
from stemset.storage.keys import MANIFEST, AttemptFolder, metadata_key
from stemset.storage.store import Store

_OPEN = "SELECT id, state, phase FROM jobs WHERE ended_at IS NULL"
_WITHOUT_ENTRY = """
    SELECT id FROM jobs WHERE ended_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs entry
        WHERE entry.lock = jobs.id AND entry.status IN ('todo', 'doing')
    )
"""
_LATE = """
    SELECT jobs.id, jobs.started_at, jobs.ended_at FROM jobs JOIN recordings USING (sha256)
    WHERE jobs.ended_at - jobs.started_at >
        (SELECT greatest(count(*), 1) FROM attempts WHERE job_id = jobs.id)
        * greatest(interval '30 min', make_interval(secs => 10 * coalesce(duration_s, 0)))
"""
"""An order's deadline (``dispatch.wish``) for each attempt."""

_WRONGLY_CHARGED = """
    SELECT jobs.id, state, count(usage.job_id) AS rows
    FROM jobs LEFT JOIN usage ON usage.job_id = jobs.id
    GROUP BY jobs.id, state HAVING count(usage.job_id) <> (state = 'complete')::int
"""
_LEFT_OPEN = """
    SELECT job_id, number FROM attempts JOIN jobs ON jobs.id = job_id
    WHERE attempts.ended_at IS NULL AND jobs.ended_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs entry
        WHERE entry.lock = jobs.id AND entry.status IN ('todo', 'doing')
    )
"""
_OVER_BUDGET = f"""
    SELECT job_id, outcome, count(*) AS rows FROM attempts GROUP BY job_id, outcome
    HAVING count(*) > CASE outcome WHEN 'failed' THEN {LIMITS.failed}
        WHEN 'interrupted' THEN {LIMITS.interrupted} WHEN 'passed_over' THEN {LIMITS.passed_over}
        ELSE 1 END
"""  # noqa: S608 - numbers of ours
_WASTED = """
    SELECT jobs.id, sum(computing_s) AS wasted_s, count(*) AS attempts
    FROM attempts JOIN jobs ON jobs.id = attempts.job_id JOIN recordings USING (sha256)
    WHERE attempts.outcome <> 'complete'
    GROUP BY jobs.id, duration_s
    HAVING sum(computing_s) > count(*) * greatest({length_s}, coalesce(duration_s, 0))
"""
_COMPLETE = """
    SELECT jobs.*, outputs.metadata->>'fingerprint' AS published FROM jobs JOIN outputs
    ON outputs.profile = jobs.profile AND outputs.output_name = jobs.output_name
    WHERE jobs.state = 'complete' AND outputs.job_id = jobs.id
"""
_FOLDERS = """
    SELECT jobs.profile, jobs.output_name, attempts.folder,
        jobs.ended_at < now() - interval '2 days' AND NOT EXISTS (
            SELECT 1 FROM outputs LEFT JOIN jobs winner ON winner.id = outputs.job_id
            WHERE outputs.profile = jobs.profile AND outputs.output_name = jobs.output_name
            AND attempts.folder IN (outputs.metadata->>'attempt', winner.attempt)
        ) AS is_old
    FROM attempts JOIN jobs ON jobs.id = attempts.job_id
"""
_INPUTS = """
    SELECT input_key FROM recordings WHERE deleted_at IS NULL
    UNION SELECT input_key FROM uploads WHERE completed_at IS NULL
    UNION SELECT input_key FROM jobs WHERE ended_at IS NULL
    UNION SELECT key FROM doomed
"""
_DOOMED = "SELECT key, created_at < now() - interval '2 days' AS is_overdue FROM doomed"
_ABANDONED = """
    SELECT id, input_key FROM uploads
    WHERE completed_at IS NULL AND touched_at < now() - interval '2 days'
"""

Connection = psycopg.Connection[Any]

_LARGEST_BYTES = 1 << 30
_COLLECTED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Books:
    """The ledger and the store of a service, read by somebody else.

    Attributes:
        conninfo: The database.
        store: The store.
        length_s: How long computing may take however short a recording is: models are loaded, and
            the machine is busy.
    """

    conninfo: str
    store: Store
    length_s: float = 300.0

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives."""
        with psycopg.connect(self.conninfo, connect_timeout=5) as connection:
            return _rows(connection, query)

    def problems(self, connection: Connection | None = None) -> list[str]:
        """Everything that should not be once all jobs have ended, in words.

        Args:
            connection: A transaction that sees the ledger otherwise than it is.
        """
        if connection is None:
            with psycopg.connect(self.conninfo, connect_timeout=5) as own:
                return self.problems(own)
        return [
            *(
                f"{number} {what}: {row}"
                for number, what, row in _in_the_ledger(connection, self.length_s)
            ),
            *(f"I4 stems: {problem}" for problem in self._of_stems(connection)),
            *(f"I5 {what}: {key}" for what, key in self._of_nobody(connection)),
        ]

    def state(self, job_id: str) -> dict[str, Any]:
        """A job's row."""
        (row,) = [each for each in self.rows("SELECT * FROM jobs") if each["id"] == job_id]
        return row

    def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """Its attempts, in order."""
        rows = self.rows("SELECT * FROM attempts ORDER BY job_id, number")
        return [row for row in rows if row["job_id"] == job_id]

    def outcomes(self, job_id: str) -> list[str]:
        """How its attempts ended, in order."""
        return [row["outcome"] for row in self.attempts(job_id)]

    def _of_stems(self, connection: Connection) -> Iterator[str]:
        for job in _rows(connection, _COMPLETE):
            folder = AttemptFolder(job["profile"], job["output_name"], job["attempt"])
            metadata = json.loads(self.store.read(metadata_key(folder.profile, folder.output_name)))
            if metadata["attempt"] != folder.name or job["published"] != job["fingerprint"]:
                yield f"{folder.prefix} is not what is published"
            manifest = json.loads(self.store.read(folder.key(MANIFEST)))
            if sorted(manifest["metadata"]["stems"]) != sorted(job["stems"]):
                yield f"{folder.prefix} has other stems"
            for name, known in manifest["metadata"]["files"].items():
                data = self.store.read(folder.key(name), limit=_LARGEST_BYTES)
                if (len(data), hashlib.sha256(data).hexdigest()) != (
                    known["bytes"],
                    known["sha256"],
                ):
                    yield f"{folder.key(name)} is not as the manifest says"

    def _of_nobody(self, connection: Connection) -> Iterator[tuple[str, str]]:
        known = {
            AttemptFolder(row["profile"], row["output_name"], row["folder"]).prefix: row["is_old"]
            for row in _rows(connection, _FOLDERS)
        }
        published = {
            metadata_key(row["profile"], row["output_name"])
            for row in _rows(connection, "SELECT * FROM outputs")
        }
        doomed = {row["key"]: row["is_overdue"] for row in _rows(connection, _DOOMED)}
        for info in self.store.list_below("outputs"):
            folder = info.key.rpartition("/")[0]
            if not doomed.keys().isdisjoint((info.key, f"{folder}/")):
                continue  # it goes when it is due, or is told below
            if info.key not in published and folder not in known:
                yield "nobody's", info.key
            elif known.get(folder):
                yield "too old", info.key
        used = {row["input_key"] for row in _rows(connection, _INPUTS)}
        before = datetime.now(UTC) - _COLLECTED_AFTER
        for place in ("inputs", "claims"):
            for info in self.store.list_below(place):
                key = f"inputs/{info.key.partition('/')[2]}"
                if key not in used and info.modified < before:
                    yield "nobody's", info.key
        yield from (("not removed", key) for key, is_overdue in doomed.items() if is_overdue)
        for row in _rows(connection, _ABANDONED):
            yield "upload that nobody goes on with", f"{row['id']}, {row['input_key']}"


def _in_the_ledger(
    connection: Connection, length_s: float
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    queries = [
        ("I1", "open", _OPEN),
        ("I1", "late", _LATE),
        ("I2", "without entry", _WITHOUT_ENTRY),
        ("I3", "usage", _WRONGLY_CHARGED),
        ("I6", "attempt open", _LEFT_OPEN),
        ("I6", "over budget", _OVER_BUDGET),
        ("I6", "wasted", _WASTED.format(length_s=length_s)),
    ]
    for number, what, query in queries:
        for row in _rows(connection, query):
            yield number, what, row


def _rows(connection: Connection, query: str) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode()).fetchall()
