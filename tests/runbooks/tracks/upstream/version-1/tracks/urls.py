"""Every link ends in a slash; nginx sees to that."""

from django.urls import path

from roasted import views

urlpatterns = [path("", views.index), path("status/", views.status), path("<slug:name>/", views.redirect)]
