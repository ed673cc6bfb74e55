from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import Count

from forum.models import ActivePoster, Thread


class Command(BaseCommand):
    help = "Builds the ranking of active posters"

    @transaction.atomic
    def handle(self, *args, **options):
        ActivePoster.objects.all().delete()
        for row in Thread.objects.values("poster").annotate(posts=Count("pk")):
            ActivePoster.objects.create(name=row["poster"], posts=row["posts"])
        self.stdout.write("ranking built")
