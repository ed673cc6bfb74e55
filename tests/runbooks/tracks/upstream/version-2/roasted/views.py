"""The list, the way on, and a page for whoever watches it."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html_join

from roasted.models import RedirectHit, Target

VERSION = 2


def index(request):
    targets = format_html_join("\n", '<li><a href="/{}/">{}</a></li>', Target.objects.order_by("name").values_list("name", "url"))
    return HttpResponse(f"<!doctype html><title>Tracks</title><h1>Tracks, version {VERSION}</h1><ul>{targets}</ul>")


def redirect(request, name):
    target = get_object_or_404(Target, name=name)
    RedirectHit.objects.create(target=target)
    return HttpResponseRedirect(target.url)


def status(request):
    return JsonResponse({"version": VERSION, "settings": settings.SETTINGS, "targets": Target.objects.count()})
