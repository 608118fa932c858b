"""Dispatch: a recording's stems made by whoever carries orders out, until they stand whole.

Enters: plain values of a job (``wish``), a bucket and a ``Runner`` (``connection``). Leaves: a
whole attempt in the bucket (``standing``), or why there is none. ``inputs`` says where a recording
lies in the bucket, ``attempt`` takes one attempt from its order to its manifest, ``budget`` judges
whether another may follow. Who counts attempts, and where, is the caller's business.

Conventions: whatever asks the bucket is synchronous and runs in a thread (``threads``); who waits
for it is a coroutine. A runner's reports are hints; what counts is an attempt's manifest.
"""
