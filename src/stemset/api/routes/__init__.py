"""The routes, a file per subject; each has a ``router``."""
