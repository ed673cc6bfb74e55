"""This host's settings: what local.sample.py asks to be looked at."""

from pathlib import Path

DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "cases"}}
SECRET_KEY = Path("/etc/case-conductor/secret_key").read_text().strip()
ALLOWED_HOSTS = ["cases.example.org"]

EMAIL_HOST = "localhost"
DEFAULT_FROM_EMAIL = "cases@example.org"

STATIC_URL = "https://assets.example.org/"
COMPRESS_ENABLED = True
COMPRESS_OFFLINE = True

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
