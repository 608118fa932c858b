"""Damaged recordings, a few of them: ``make fuzz`` decodes ten thousand."""

import mutated_audio

SEED = 1
COUNT = 100


def test_damaged_recordings_end_with_samples_or_an_error_of_ours():
    told: list[str] = []
    account = mutated_audio.run(SEED, COUNT, told.append)

    assert account.faults == []
    assert account.ends.total() == COUNT
    assert 0 < account.ends["decoded"] < COUNT
    assert account.largest_bytes < mutated_audio.LIMITS.max_memory_bytes
