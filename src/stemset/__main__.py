"""``python -m stemset``."""

from stemset.cli import main

if __name__ == "__main__":
    main()
