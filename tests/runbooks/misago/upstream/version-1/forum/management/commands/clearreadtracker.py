from datetime import timedelta

from django.core.management.base import BaseCommand
from django.utils import timezone

from forum.models import ReadTracker


class Command(BaseCommand):
    help = "Deletes what the read tracker no longer needs"

    def handle(self, *args, **options):
        count, _ = ReadTracker.objects.filter(read_on__lt=timezone.now() - timedelta(days=40)).delete()
        self.stdout.write(f"{count} entries cleared")
