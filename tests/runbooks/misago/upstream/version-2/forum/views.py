"""The forum's index, and a page for whoever watches it."""

import markdown
from django.http import HttpResponse, JsonResponse
from django.utils.html import escape, format_html_join
from django.utils.safestring import mark_safe

from forum.models import Thread

VERSION = 2


def index(request):
    titles = Thread.objects.order_by("pk").values_list("title", flat=True)
    threads = format_html_join("\n", "<li>{}</li>", ((mark_safe(markdown.markdown(escape(title))),) for title in titles))
    return HttpResponse(f"<!doctype html><title>Forum</title><h1>Forum, version {VERSION}</h1><ul>{threads}</ul>")


def healthz(request):
    return JsonResponse({"version": VERSION, "threads": Thread.objects.count()})
