"""Settings of this forum. PostgreSQL knows the forum's role by the system user of the same name, so there is no password."""

import os
from pathlib import Path

SITE = Path("/srv/misago")

SECRET_KEY = Path("/etc/misago/secret_key").read_text().strip()
DEBUG = False
ALLOWED_HOSTS = ["misago-forum.org", "127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "forum",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "misagoforumorg.urls"
WSGI_APPLICATION = "misagoforumorg.wsgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("MISAGO_DATABASE", "misago"),
        "USER": "misago",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = SITE / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = SITE / "media"
