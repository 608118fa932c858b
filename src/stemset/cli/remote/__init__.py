"""Remote work: recordings go to the bucket, orders to the worker, stems come back.

Enters: recordings of a profile that says ``remote: true``. Leaves: output folders as work on this
machine makes them. ``address`` decides whether the worker may be talked to at all; ``coordinator``
takes each recording its whole way; on it, ``survey`` finds out what stands already and names the
output, ``inputs`` uploads, ``attempts`` orders, ``results`` fetches.

Conventions: whatever asks the bucket or a disk is synchronous and runs in a thread (``transfers``);
who waits for it is a coroutine, and reports are made there. There is no ledger: a job's id follows
from what it is about, and what is in the bucket says how far it is. So a run that ended at any
moment is gone on with by running the same command again.
"""
