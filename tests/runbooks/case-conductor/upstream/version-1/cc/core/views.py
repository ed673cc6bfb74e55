import badges
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core import signing
from django.core.mail import send_mail
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from .models import Case

VERSION = 1


def corner(request):
    return {"name": badges.NAME, "version": VERSION}


@login_required
def index(request):
    return render(request, "index.html", {"cases": Case.objects.order_by("title")})


def register(request):
    if request.method != "POST":
        return render(request, "register.html")
    fields = {key: request.POST[key] for key in ("username", "email", "password")}
    user = User.objects.create_user(**fields, is_active=False)
    link = request.build_absolute_uri(reverse("confirm", args=[signing.dumps(user.pk)]))
    send_mail("Confirm your registration", f"Welcome. Follow this link: {link}", settings.DEFAULT_FROM_EMAIL, [user.email])
    return HttpResponse("We have sent you a mail.")


def confirm(request, token):
    User.objects.filter(pk=get_object_or_404(User, pk=signing.loads(token)).pk).update(is_active=True)
    return redirect("login")
