"""Jobs: the ledger and the queue, in one PostgreSQL database, and the work that keeps both true.

Enters: a recording, a profile's choices, and orders of people (cancel, retry, delete). Leaves: jobs
that each reach one end, whatever crashes. ``tables`` and ``migrations`` say what is kept,
``database`` how it is reached; ``ledger`` writes it, ``queue`` hands a job to a process, ``task``
does the work, ``recovery`` finds what a crash left behind.

Conventions: asynchronous; a function that takes a ``connection`` is part of its caller's
transaction. The database's clock is the only one that decides.
"""
