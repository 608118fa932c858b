"""How the schema came to be: one script for each change, run in order by ``stemset.jobs.migrate``.

A script that was released is never changed again. To change the schema, change ``tables``, write
the next script to ``versions`` and set ``HEAD`` in ``stemset.jobs.migrate``. Alembic writes a draft
from the difference between ``tables`` and a database that stands at the newest script:
``DATABASE_URL=postgresql://… alembic revision --autogenerate --rev-id 0002 -m "what changes"``.

Procrastinate's schema is made from a copy of its file: what a script does must not depend on what
is installed. A test compares the copy with the installed file. When they differ, the next script
runs those files of Procrastinate's ``sql/migrations`` that came since, copied to ``versions`` too,
and the copy that the test compares is the one that the newest script left.
"""
