"""The pages."""

import json

import reef
from django.conf import settings
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from survey import queue
from survey.models import Observation


def notice():
    """What `maint-page` announces, or nothing."""
    try:
        announced = json.loads(settings.MAINTENANCE.read_text())
    except (OSError, ValueError):
        return None
    return announced if announced.get("timestamp") else None


def index(request):
    """The newest observations, and the notice of maintenance to come."""
    return render(
        request,
        "survey/index.html",
        {"observations": Observation.objects.all()[:20], "notice": notice(), "version": reef.VERSION},
    )


def listing(request):
    """How many observations there are."""
    return JsonResponse({"version": reef.VERSION, "count": Observation.objects.count()})


@csrf_exempt
@require_POST
def report(request):
    """A buoy's report: queued at once, written down by the worker."""
    queue.put({"place": request.POST["place"], "species": request.POST["species"]})
    return HttpResponse("queued\n", status=202, content_type="text/plain")


def healthz(request):
    """200 only where the database and the queue answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    queue.connection().ping()
    return JsonResponse({"version": reef.VERSION, "ok": True})
