"""PostgreSQL, which knows the role `deployer` by the system user of that name."""

import os
from pathlib import Path

from tracks.settings.base import *  # noqa: F403

DEBUG = False
SETTINGS = "production"
SECRET_KEY = Path("/home/deployer/secret_key").read_text().strip()
ALLOWED_HOSTS = ["tracks.example.org", "localhost", "127.0.0.1"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("TRACKS_DATABASE", "tracks"),
        "USER": "deployer",
    }
}
