"""Settings for the server; what differs by host is in the environment and secrets.json."""

import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
HOME = Path(os.environ["REEF_HOME"])

SECRET_KEY = json.loads((HOME / "etc/secrets.json").read_text())["secret_key"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "reef.example.org"]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "survey",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "reef.urls"
WSGI_APPLICATION = "reef.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# Host, port and user are in the service file, the password in the password file.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "OPTIONS": {"service": "reef", "passfile": str(HOME / ".pgpass")},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

QUEUE_URL = os.environ["REEF_REDIS"]
QUEUE = "observations"

USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = HOME / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
MAINTENANCE = HOME / "maintenance/maintenance.json"

# TLS ends in front of nginx, which says so in this header.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "file": {"class": "logging.FileHandler", "filename": HOME / "log/django.log"},
    },
    "loggers": {"django": {"handlers": ["file"], "level": "INFO"}},
}
