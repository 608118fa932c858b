"""What half precision spoils, and is computed again in float32."""

from collections.abc import Callable

import numpy as np

from stemset.separation.network import Samples

# Networks scale a chunk to a deviation of 1: a burst in silence is then so loud that half precision
# leaves 14 dB or less of it. Music has a factor of 3 to 10.
_HIGHEST_CREST_FACTOR = 20


def compute_with_care(
    mix: Samples, coarsely: Callable[[Samples], Samples], finely: Callable[[Samples], Samples]
) -> Samples:
    """Separate a batch coarsely, and those chunks finely that half precision spoils.

    Args:
        mix: ``(batch, 2, frames)``.
        coarsely: Separates a batch in half precision.
        finely: Separates a batch in float32; it is given one chunk at a time, for it takes more
            memory.

    Returns:
        ``(batch, slots, 2, frames)``.
    """
    spoilt = np.array([crest_factor(chunk) > _HIGHEST_CREST_FACTOR for chunk in mix])
    if spoilt.all():
        return np.concatenate([finely(chunk[np.newaxis]) for chunk in mix])
    stems = coarsely(mix)
    spoilt |= ~np.isfinite(stems).all(axis=(1, 2, 3))
    for index in np.flatnonzero(spoilt):
        stems[index] = finely(mix[index : index + 1])[0]
    return stems


def crest_factor(chunk: Samples) -> float:
    """The peak of a chunk of any shape over its root mean square; 0 if it is silent."""
    deviation = float(np.linalg.norm(chunk)) / chunk.size**0.5
    return max(float(chunk.max()), -float(chunk.min())) / deviation if deviation else 0.0
