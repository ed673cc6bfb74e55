"""What both have in common."""

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.postgres", "roasted"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "tracks.urls"
WSGI_APPLICATION = "tracks.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
