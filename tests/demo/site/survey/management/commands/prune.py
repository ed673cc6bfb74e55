"""Forgets observations older than so many days."""

from datetime import timedelta

from django.core.management.base import BaseCommand
from django.utils import timezone

from survey.models import Observation


class Command(BaseCommand):
    """`manage.py prune --days N`, from the crontab."""

    help = "Forgets observations older than so many days."

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=90)

    def handle(self, *args, **options):
        old = timezone.now() - timedelta(days=options["days"])
        forgotten, _ = Observation.objects.filter(seen_at__lt=old).delete()
        self.stdout.write(f"{forgotten} forgotten")
