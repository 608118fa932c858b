"""Uploads: bytes of recordings on their way from a client into the store.

Enters: a form with a file (``whole``), or a file in parts that can be gone on with after a break:
through this service (``parts``), or past it into the bucket (``presigned``). Leaves: a recording
that lies in the store, durable, and is noted in the ledger (``keeping``), or nothing at all.

``desk`` holds what uploads that run at a time share; ``body`` and ``form`` read from slow and
malicious clients, ``spool`` writes to a disk that may be full, ``collection`` removes what nobody
goes on with. No file is ever held in memory: an upload takes a block or two.
"""
