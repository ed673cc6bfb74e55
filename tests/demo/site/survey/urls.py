"""The pages' addresses."""

from django.urls import path

from survey import views

urlpatterns = [
    path("", views.index),
    path("healthz", views.healthz),
    path("observations.json", views.listing),
    path("report", views.report),
]
