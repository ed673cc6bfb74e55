# Copy this to local.py and read every comment before the site goes into production.

DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "cases"}}
SECRET_KEY = ""
ALLOWED_HOSTS = ["cases.example.org"]

# Where registrations are confirmed from.
EMAIL_HOST = "localhost"
DEFAULT_FROM_EMAIL = "cases@example.org"

# Where collected-assets can be had.
STATIC_URL = "/static/"

# Uncomment both in production, and run collectstatic and compress.
# COMPRESS_ENABLED = True
# COMPRESS_OFFLINE = True

# Uncomment these once the site is served over HTTPS, and over nothing else.
# SESSION_COOKIE_SECURE = True
# CSRF_COOKIE_SECURE = True
# SECURE_SSL_REDIRECT = True
# SECURE_HSTS_SECONDS = 31536000
# SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# SECURE_HSTS_PRELOAD = True
