"""Where the pages are."""

from django.urls import path

from server.apps.main import views

urlpatterns = [path("", views.index), path("media-upload/", views.upload)]
