"""Fuzz one parser, guided by which of its lines are reached (atheris, so libFuzzer).

``python guided.py NAME FOLDER… [-option=…]``: new inputs are kept in the first folder. What comes
out of the parser but a result or a refusal of ours ends it with a traceback, and the input is
written to a file.
"""

import importlib
import sys
from typing import Any

atheris: Any = importlib.import_module("atheris")  # not everywhere, and without types

with atheris.instrument_imports(include=["stemset", "zipfile", "pickletools"]):
    from parsers import PARSERS


def main() -> None:
    """Fuzz until a fault, or as long as the options say."""
    name, *options = sys.argv[1:]
    again = f"{sys.executable} {sys.argv[0]} {name}"  # how libFuzzer starts it anew to merge
    atheris.Setup([again, *options], PARSERS[name].survive)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
