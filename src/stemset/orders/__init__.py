"""Orders: what a worker is told, what it says back, and who carries it out.

Enters: an ``Order`` (``messages``), signed when it leaves the machine (``signing``). Leaves: its
``Report`` messages, the last of them ``complete`` or ``error``. ``supervisor`` starts, feeds and
ends the computing process (``python -m stemset.pipeline``); ``runner`` is the port that the local
runner (below a supervisor) and the remote runner (over HTTP) share.

Conventions: progress is 0–1 over the whole job, times in seconds, deadlines aware UTC. A lost
connection cancels nothing; an attempt that is ordered twice is run once.
"""
