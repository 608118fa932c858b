"""Remote work: recordings go to the bucket, orders to the worker, stems come back.

Enters: recordings of a profile that says ``remote: true``. Leaves: output folders as work on this
machine makes them. ``address`` decides whether the worker may be talked to at all; ``coordinator``
takes each recording its whole way; on it, ``survey`` names the job and its output, ``attempts``
orders until the stems are whole, ``results`` fetches. What a service does in the same way is in
``stemset.dispatch``.

Conventions: whatever asks the bucket or a disk is synchronous and runs in a thread;
who waits for it is a coroutine, and reports are made there. There is no ledger: a job's id follows
from what it is about, and what is in the bucket says how far it is. So a run that ended at any
moment is gone on with by running the same command again.
"""
