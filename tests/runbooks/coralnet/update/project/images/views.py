"""The pages."""

import json

import config
import markdown
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render

from images.models import Image
from images.tasks import annotate


def notice():
    """What maint-page announces, or nothing: the two keys that the site's own notice always had."""
    try:
        announced = json.loads(settings.MAINTENANCE.read_text())
    except (OSError, ValueError):
        return None
    return {"timestamp": announced["timestamp"], "message": announced["message"]}


def index(request):
    """The front page, with the notice of maintenance to come."""
    return render(request, "images/index.html", {"version": config.VERSION, "notice": notice()})


def about(request):
    """What the numbers mean, kept as Markdown."""
    text = markdown.markdown("# About\n\nEach annotation says how *sure* it is.")
    return HttpResponse(f"<!DOCTYPE html>\n<html lang=en><title>About</title>{text}</html>\n")


def images(request):
    """POST uploads one, GET says how far the workers are."""
    if request.method == "POST":
        annotate.delay(Image.objects.create(name=request.POST["name"]).pk)
        return JsonResponse({"uploaded": True}, status=202)
    waiting = Image.objects.filter(annotation="").count()
    return JsonResponse({"version": config.VERSION, "images": Image.objects.count(), "waiting": waiting})
