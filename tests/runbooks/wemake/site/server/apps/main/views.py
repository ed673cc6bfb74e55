"""The pages."""

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from server.apps.main.models import BlogPost


def index(request):
    """The posts."""
    return render(request, "main/index.html", {"version": settings.VERSION, "posts": BlogPost.objects.count()})


@csrf_exempt
@require_POST
def upload(request):
    """Keeps what was sent among the media."""
    name = default_storage.save("upload.txt", ContentFile(request.body))
    return HttpResponse(default_storage.url(name), content_type="text/plain", status=201)
