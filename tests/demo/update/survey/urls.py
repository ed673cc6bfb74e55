"""The pages' addresses."""

from django.urls import path

from survey import views

urlpatterns = [
    path("", views.index),
    path("healthz", views.healthz),
    path("about/", views.about),
    path("labels/<slug:label>/<slug:value>.json", views.labelled),
    path("observations.json", views.listing),
    path("report", views.report),
]
