from django.core.management.base import BaseCommand
from django.utils import timezone

from forum.models import Ban


class Command(BaseCommand):
    help = "Invalidates bans that have expired"

    def handle(self, *args, **options):
        count = Ban.objects.filter(is_valid=True, expires_on__lt=timezone.now()).update(is_valid=False)
        self.stdout.write(f"{count} bans invalidated")
