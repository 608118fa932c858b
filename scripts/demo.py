"""`make demo`: split the default model's example song, say where its stems are, build the page."""

import json
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEMSET = ROOT / ".venv" / "bin" / "stemset"
MODEL = "spleeter-2stems"
DEMO = Path("demo")  # paths are shown as seen from the root


def main() -> None:
    """Fetch the model, split its example, print what came of it; then build the page."""
    print(f"Getting the model {MODEL} (the first time, 89 MB are fetched)", flush=True)
    stemset("models", "install", MODEL)
    example = copy_example()
    shutil.rmtree(ROOT / DEMO / "stems", ignore_errors=True)

    print(f"Splitting {example}", flush=True)
    started = time.perf_counter()
    stemset("split", example, "-o", DEMO / "stems")
    print_result(example, time.perf_counter() - started)

    print(flush=True)
    build_page()
    print("The page   .venv/bin/stemset serve   and open http://127.0.0.1:8080")


def copy_example() -> Path:
    """Copy the song that came with the model to where a person sees it."""
    model = Path(stemset("models", "path", MODEL).strip())
    (ROOT / DEMO).mkdir(exist_ok=True)
    example = DEMO / "example.mp3"
    shutil.copyfile(model.with_name("example.mp3"), ROOT / example)
    return example


def print_result(example: Path, took_s: float) -> None:
    """Print the stems, the time, and how to listen."""
    metadata = next((ROOT / DEMO / "stems").glob("*/metadata.json"))
    folder = metadata.parent.relative_to(ROOT)
    stems = [
        folder / stem["stem_url"] for stem in json.loads(metadata.read_text())["stems"].values()
    ]
    player = "open" if platform.system() == "Darwin" else "xdg-open"

    print(f"\nThe song   {example}")
    for stem in stems:
        print(f"A stem     {stem}")
    print(f"It took    {took_s:.1f} s")
    print(f"To listen  {player} {stems[0]}   (or drop it into a browser)")
    print("Your own   .venv/bin/stemset split SONG -o FOLDER")


def build_page() -> None:
    """Build the page that `stemset serve` gives out."""
    result = subprocess.run([ROOT / "scripts" / "setup", "web"], cwd=ROOT, check=False)
    if result.returncode != 0:
        sys.exit(result.returncode)


def stemset(*arguments: str | Path) -> str:
    """Run Stemset as a person would and give its results; its errors have said what is wrong."""
    result = subprocess.run(
        [STEMSET, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode != 0:
        sys.exit(result.returncode)
    return result.stdout


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
