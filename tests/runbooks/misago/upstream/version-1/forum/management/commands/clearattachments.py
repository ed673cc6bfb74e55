from django.core.management.base import BaseCommand

from forum.models import Attachment


class Command(BaseCommand):
    help = "Deletes attachments that belong to no post"

    def handle(self, *args, **options):
        orphans = Attachment.objects.filter(orphan=True)
        for attachment in orphans:
            attachment.file.delete(save=False)
        count, _ = orphans.delete()
        self.stdout.write(f"{count} attachments cleared")
