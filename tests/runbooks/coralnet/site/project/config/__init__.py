"""A small site on which divers upload images of the reef, to be annotated by the workers."""

VERSION = 1

# So that @shared_task means this one, in gunicorn too.
from config.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
