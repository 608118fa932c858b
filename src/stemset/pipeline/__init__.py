"""The pipeline: one recording through decode, separate, encode, and into its output folder.

Enters: a recording's path and what to make of it (``plan`` turns that into a ``Job``). Leaves: an
output folder that appears whole or not at all (``output``), described by its ``metadata.json``
(``metadata``) and checkable at any time (``verify``). ``run`` is the only copy of the loop that
moves audio; ``_stages`` are the threads that it uses.

Conventions: as in ``audio``. Progress is 0–1 over the whole job, times are in seconds.
"""
