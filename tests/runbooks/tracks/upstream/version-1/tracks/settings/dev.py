"""For testing and debugging."""

from tracks.settings.base import *  # noqa: F403

DEBUG = True
SETTINGS = "dev"
SECRET_KEY = "not a secret, and not for production"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/tracks.sqlite3"}}
