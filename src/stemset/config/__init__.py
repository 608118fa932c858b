"""The configuration: ``config.yaml``, the environment, and ``.env`` beside it, as one value.

Only the edges (``cli``, ``api``, ``worker``) read it; the rooms below get what they need as
arguments. The environment wins over the file, and ``.env`` only fills in what the environment does
not set.
"""

from stemset.config._environment import max_duration_s
from stemset.config._file import OutputSettings, Profile, Retention
from stemset.config._settings import Settings, load_settings, needed_store
from stemset.config._sign_in import SignInSettings

__all__ = [
    "OutputSettings",
    "Profile",
    "Retention",
    "Settings",
    "SignInSettings",
    "load_settings",
    "max_duration_s",
    "needed_store",
]
