"""`manage.py migrate`, once: of all nodes that start it at the same time one migrates, and the others wait and find nothing to do.

Django takes no lock of its own: two that start together both find a migration unapplied, and both apply it. This lock is PostgreSQL's,
of the very session that migrates. It ends with that session, so that none is left behind by a node that dies or loses the network, and
the next in line takes over.
"""

from django.core.management.commands import migrate
from django.db import connections

# Any number will do that nothing else in this database locks.
MIGRATIONS = 7_264_253


class Command(migrate.Command):
    """As Django's own, under the lock."""

    def handle(self, *args, **options):
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATIONS])
            try:
                return super().handle(*args, **options)
            finally:
                # Where the session has ended, the lock has ended with it.
                if connections[options["database"]].is_usable():
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATIONS])
