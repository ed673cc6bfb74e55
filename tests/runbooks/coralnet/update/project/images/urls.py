"""The pages' addresses."""

from django.urls import path

from images import views

urlpatterns = [path("", views.index), path("about/", views.about), path("images/", views.images)]
