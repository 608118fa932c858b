"""Separation: a stream through a tree, in memory that does not grow with the recording.

Enters: blocks of the mix. Leaves: blocks of every stem, which add up to the mix.

A recording passes ``channels`` (its channels as stereo lanes), ``separator`` (the tree of models:
``overlap_add`` cuts the stream into chunks, a network of ``networks`` computes each, and the
chunks are crossfaded into a stream again) and ``closing`` (samples as they will stand in the
file, and the one stem that takes what the others leave). ``signals`` says which signals a strategy
needs; ``network`` is the port that every network fits behind.

Conventions: a block is ``float32`` of shape ``(channels, frames)``, ±1.0 full scale. A *lane* is
a stereo pair that a network sees; lanes are stacked as ``(lanes, 2, frames)``. Positions are frame
numbers, at the recording's rate outside the tree and at the model's rate inside.
"""
