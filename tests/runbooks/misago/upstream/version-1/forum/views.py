"""The forum's index, and a page for whoever watches it."""

from django.http import HttpResponse, JsonResponse
from django.utils.html import format_html_join

from forum.models import Thread

VERSION = 1


def index(request):
    threads = format_html_join("\n", "<li>{}</li>", Thread.objects.order_by("pk").values_list("title"))
    return HttpResponse(f"<!doctype html><title>Forum</title><h1>Forum, version {VERSION}</h1><ul>{threads}</ul>")


def healthz(request):
    return JsonResponse({"version": VERSION, "threads": Thread.objects.count()})
