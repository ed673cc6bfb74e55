"""What celeryworker and celerybeat run."""

from celery import Celery

app = Celery("coralnet")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
