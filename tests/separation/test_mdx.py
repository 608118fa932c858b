"""MDX-Net: streamed through the engine it gives what its authors' loop gives.

Most graphs here are small, of the published shapes; ``mdx_graphs`` has those of the published size.
"""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

import mdx_graphs
from stemset.catalogue.entries import find
from stemset.catalogue.weights import WeightsFile
from stemset.errors import ModelCorrupt, NetworkFailed
from stemset.separation.network import Fade, Samples
from stemset.separation.networks import load_network
from stemset.separation.networks.mdx import SIZES, MdxNet
from stemset.separation.overlap_add import OverlapAdd, fade_in

RATE_HZ = 44_100
PARITY_DB = 80
HOP_FRAMES = 1024
DRUMS, BASS = "kuielab_b_drums", "kuielab_a_bass"
both = pytest.mark.parametrize("model", [DRUMS, BASS])


def loaded(model: str, graph: ModelProto, folder: Path) -> MdxNet:
    entry = find(model)
    path = folder / "network.onnx"
    path.write_bytes(graph.SerializeToString())
    network = load_network(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)
    assert isinstance(network, MdxNet)
    return network


def streamed(network: MdxNet, mix: Samples) -> Samples:
    """The engine's result, in blocks of an odd length."""
    stream = OverlapAdd(network, lanes=1)
    given = [pair for block in np.array_split(mix, 37, axis=1) for pair in stream.push(block[None])]
    given += stream.finish()
    return np.concatenate([slots[0, 0] for _, slots in given], axis=1)


def whole_file(model: str, graph: ModelProto, mix: Samples, border: int | None = None) -> Samples:
    """As KUIELab's own loop does it: chunks whose borders are cut off, one after the other.

    Args:
        model: Name of the model.
        graph: Its graph.
        mix: ``(2, frames)``.
        border: What is cut off, by default half a window as in the original.
    """
    size = SIZES[model]
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    border = border or size.window_frames // 2
    chunk = HOP_FRAMES * (size.windows - 1)
    kept = chunk - 2 * border
    pad = kept - mix.shape[1] % kept
    padded = torch.from_numpy(np.pad(mix, ((0, 0), (border, pad + border))))
    settings = {"hop_length": HOP_FRAMES, "window": torch.hann_window(size.window_frames)}
    parts: list[NDArray[np.float32]] = []
    for start in range(0, mix.shape[1] + pad, kept):
        mixed = padded[:, start : start + chunk]
        seen = torch.view_as_real(
            torch.stft(mixed, size.window_frames, **settings, return_complex=True)
        )
        spectrum = seen.permute(0, 3, 1, 2).reshape(1, 4, -1, size.windows)[:, :, : size.bins]
        (found,) = session.run(None, {"input": spectrum.numpy()})
        filled = torch.zeros(2, 2, size.window_frames // 2 + 1, size.windows)
        filled[:, :, : size.bins] = torch.from_numpy(np.asarray(found)).reshape(2, 2, size.bins, -1)
        stem = torch.istft(
            torch.view_as_complex(filled.permute(0, 2, 3, 1).contiguous()),
            size.window_frames,
            **settings,
        )
        parts.append(stem[:, border:-border].numpy())
    return np.concatenate(parts, axis=1)[:, :-pad] * size.compensation


def agreement_db(found: Samples, wanted: Samples) -> float:
    error = float(np.square(found - wanted, dtype=np.float64).sum())
    return 10 * np.log10(float(np.square(wanted, dtype=np.float64).sum()) / max(error, 1e-30))


def low_noise(frames: int, top_hz: float = 5000) -> Samples:
    """Noise without anything above a frequency, that begins and ends in silence."""
    spectrum = np.fft.rfft(np.random.default_rng(4).standard_normal((2, frames)))
    spectrum[:, int(top_hz / RATE_HZ * frames) :] = 0
    return (0.1 * np.hanning(frames) * np.fft.irfft(spectrum, n=frames)).astype(np.float32)


@both
def test_streamed_is_the_authors_loop_without_its_seams(
    model: str, song: NDArray[np.float32], tmp_path: Path
) -> None:
    """Of a graph whose windows know nothing of each other, so that chunks may begin anywhere.

    The authors' loop cuts off half a window, and a mirrored window reaches further: where it cuts
    off a whole one, it has no seams. Ours has none either: 110 and 108 dB seen.
    """
    mix = np.concatenate([song, song[::-1]], axis=1)
    graph = mdx_graphs.local(SIZES[model])
    window = SIZES[model].window_frames

    found = streamed(loaded(model, graph, tmp_path), mix)

    seamless = whole_file(model, graph, mix, border=window)[:, window:]
    assert found.shape == mix.shape
    assert agreement_db(found[:, window:], seamless) > PARITY_DB
    assert agreement_db(whole_file(model, graph, mix)[:, window:], seamless) < PARITY_DB


@pytest.mark.slow
@both
def test_network_of_the_published_size_gives_what_the_authors_loop_gives(
    model: str, song: NDArray[np.float32], tmp_path: Path
) -> None:
    """Of a recording that one chunk holds: 119 and 120 dB seen."""
    mix = song[:, 5 * RATE_HZ : 7 * RATE_HZ]
    graph = mdx_graphs.published(model)

    found = streamed(loaded(model, graph, tmp_path), mix)

    assert agreement_db(found, whole_file(model, graph, mix)) > PARITY_DB


@both
def test_graph_that_answers_its_input_gives_the_compensated_mix(model: str, tmp_path: Path) -> None:
    mix = low_noise(15 * RATE_HZ)

    found = streamed(loaded(model, mdx_graphs.echo(SIZES[model]), tmp_path), mix)

    assert np.abs(found - 1.035 * mix).max() < 1e-4


def test_what_is_above_the_bins_of_the_graph_is_silent(tmp_path: Path) -> None:
    time = np.arange(RATE_HZ) / RATE_HZ
    tone = np.tile(0.1 * np.hanning(RATE_HZ) * np.sin(2 * np.pi * 8000 * time), (2, 1))

    found = streamed(loaded(BASS, mdx_graphs.echo(SIZES[BASS]), tmp_path), tone.astype(np.float32))

    assert np.abs(found).max() < 1e-4


@pytest.mark.parametrize("frames", [1, 1000, 50_000])
@both
def test_shortest_recordings_are_separated(model: str, frames: int, tmp_path: Path) -> None:
    mix = np.random.default_rng(1).standard_normal((2, frames)).astype(np.float32) * 0.1
    graph = mdx_graphs.local(SIZES[model])

    found = streamed(loaded(model, graph, tmp_path), mix)

    assert found.shape == mix.shape
    assert agreement_db(found, whole_file(model, graph, mix)) > PARITY_DB


@both
def test_silence_stays_silent(model: str, tmp_path: Path) -> None:
    network = loaded(model, mdx_graphs.echo(SIZES[model]), tmp_path)

    stems = network(np.zeros((2, 2, network.chunk_frames), np.float32))

    assert stems.shape == (2, 1, 2, network.chunk_frames)
    assert not stems.any()


@both
def test_fade_leaves_out_what_the_original_cuts_off(model: str) -> None:
    entry, size = find(model), SIZES[model]
    border = size.window_frames // 2

    slope = fade_in(entry.overlap_frames, Fade.RAISED_COSINE)

    assert slope is not None
    assert not slope[:border].any()
    assert (slope[-border:] == 1).all()
    assert entry.chunk_frames == HOP_FRAMES * (size.windows - 1)


class TestFilesOfAnotherKind:
    """What is installed as a graph, and is not the model's."""

    @pytest.mark.parametrize(("model", "other"), [(DRUMS, BASS), (BASS, DRUMS)])
    def test_graph_of_another_model_is_refused(
        self, model: str, other: str, tmp_path: Path
    ) -> None:
        with pytest.raises(ModelCorrupt, match=r"network\.onnx holds another network: it takes"):
            loaded(model, mdx_graphs.echo(SIZES[other]), tmp_path)

    def test_graph_of_two_inputs_is_refused(self, tmp_path: Path) -> None:
        graph = mdx_graphs.echo(SIZES[DRUMS])
        graph.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))

        with pytest.raises(ModelCorrupt, match="holds another network"):
            loaded(DRUMS, graph, tmp_path)

    def test_file_that_is_no_graph_is_an_error_of_ours(self, tmp_path: Path) -> None:
        entry = find(DRUMS)
        path = tmp_path / "network.onnx"
        path.write_bytes(b"no graph" * 100)

        with pytest.raises(NetworkFailed, match=r"network\.onnx cannot be loaded"):
            load_network(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)

    def test_answer_of_another_shape_is_refused(self, tmp_path: Path) -> None:
        size = SIZES[DRUMS]
        graph = mdx_graphs.model(
            size, [helper.make_node("Transpose", ["input"], ["output"], perm=[0, 1, 3, 2])], []
        )
        graph.graph.output[0].CopyFrom(
            helper.make_tensor_value_info(
                "output", TensorProto.FLOAT, ("batch_size", 4, size.windows, size.bins)
            )
        )
        network = loaded(DRUMS, graph, tmp_path)

        with pytest.raises(NetworkFailed, match=r"shape \(1, 4, 128, 2048\)"):
            network(np.ones((1, 2, network.chunk_frames), np.float32))


def test_input_may_have_any_name(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["spectrum"], ["output"])
    graph = mdx_graphs.model(SIZES[DRUMS], [node], [])
    graph.graph.input[0].name = "spectrum"
    network = loaded(DRUMS, graph, tmp_path)

    assert network(np.ones((1, 2, network.chunk_frames), np.float32)).any()
