import numpy as np
import pytest

from stemset.separation.channels import ChannelMap

STEREO = ("FL", "FR")
SURROUND = ("FL", "FR", "FC", "LFE", "BL", "BR")


@pytest.mark.parametrize(
    ("channels", "pairs"),
    [
        (("FC",), ((0, 0),)),
        (STEREO, ((0, 1),)),
        (SURROUND, ((0, 1), (2, 2), (4, 5))),
        (("FL", "FR", "BC"), ((0, 1), (2, 2))),
        (("FR",), ((0, 0),)),
        (("LFE",), ()),
        (("UNK0", "UNK1", "UNK2"), ((0, 1), (2, 2))),
    ],
)
def test_channels_are_paired_by_their_places(
    channels: tuple[str, ...], pairs: tuple[tuple[int, int], ...]
) -> None:
    assert set(ChannelMap(channels).pairs) == set(pairs)


def test_join_of_split_gives_all_but_the_low_frequency_channel() -> None:
    block = np.arange(12, dtype=np.float32).reshape(6, 2)
    channels = ChannelMap(SURROUND)

    lanes = channels.split(block)

    assert lanes.shape == (3, 2, 2)
    block[3] = 0
    np.testing.assert_array_equal(channels.join(lanes), block)


def test_join_of_a_mono_lane_averages_its_sides() -> None:
    lanes = np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32)

    np.testing.assert_array_equal(ChannelMap(("FC",)).join(lanes), [[2.0, 3.0]])
