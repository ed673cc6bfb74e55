from datetime import timedelta

from django.core.management.base import BaseCommand
from django.utils import timezone

from forum.models import Category, Thread


class Command(BaseCommand):
    help = "Prunes categories"

    def handle(self, *args, **options):
        for category in Category.objects.filter(prune_days__isnull=False):
            cutoff = timezone.now() - timedelta(days=category.prune_days)
            count, _ = Thread.objects.filter(category=category, posted_on__lt=cutoff).delete()
            self.stdout.write(f"{category.name}: {count} pruned")
