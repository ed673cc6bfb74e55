"""PRODUCTION has to be there, with whatever value, for the production settings."""

import os

if "PRODUCTION" in os.environ:
    from tracks.settings.production import *  # noqa: F403
else:
    from tracks.settings.dev import *  # noqa: F403
