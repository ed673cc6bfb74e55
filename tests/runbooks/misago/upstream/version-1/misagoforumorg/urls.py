"""Links of this forum."""

from django.urls import path

from forum import views

urlpatterns = [path("", views.index), path("healthz", views.healthz)]
