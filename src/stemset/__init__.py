"""Stemset splits recordings into stems that add up to the mix.

Rooms, in the order that a recording travels: ``cli`` takes the call, ``pipeline`` runs it,
``separation`` computes stems, ``catalogue`` knows the models, ``audio`` reads and writes files.
"""

__version__ = "0.1.0"
