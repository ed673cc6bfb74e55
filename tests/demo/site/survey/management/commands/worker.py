"""Writes queued reports to the database until it is asked to stop."""

import signal

from django.core.management.base import BaseCommand

from survey import queue
from survey.models import Observation


class Command(BaseCommand):
    """`manage.py worker`, kept running by supervisor."""

    help = "Writes queued reports to the database until it is asked to stop."

    def handle(self, *args, **options):
        self.asked_to_stop = False
        signal.signal(signal.SIGTERM, self.stop)
        client = queue.connection()
        self.stdout.write("worker: ready")
        while not self.asked_to_stop:
            report = queue.take(client, seconds=1)
            if report:
                self.write_down(report)
        self.stdout.write("worker: stopped")

    def stop(self, *_):
        self.asked_to_stop = True

    def write_down(self, report):
        Observation.objects.create(place=report["place"], species=report["species"])
