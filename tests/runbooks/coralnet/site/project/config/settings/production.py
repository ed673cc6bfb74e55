"""Settings of the server. What is secret is in secrets.json, which is not in the repository."""

import json
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
SECRETS = json.loads((PROJECT / "config/settings/secrets.json").read_text())

SECRET_KEY = SECRETS["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["coralnet.example.org", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "images",
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "NAME": "coralnet",
        "USER": "coralnet",
        "PASSWORD": SECRETS["DATABASE_PASSWORD"],
        # A migration whose manage.py was killed ends in the database, too, and with it its locks.
        "OPTIONS": {"options": "-c client_connection_check_interval=1s"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = "/srv/www/static"
# What maint-page announces.
MAINTENANCE = Path("/srv/www/tmp/maintenance.json")

CELERY_BROKER_URL = "redis://127.0.0.1:6379/0"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {"look": {"task": "images.tasks.look_for_new_images", "schedule": 1.0}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"vision": {"class": "logging.FileHandler", "filename": "/srv/www/log/vision_backend.log"}},
    "loggers": {"vision": {"handlers": ["vision"], "level": "INFO"}},
}
