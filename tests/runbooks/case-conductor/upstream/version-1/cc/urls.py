from django.contrib.auth.views import LoginView
from django.urls import path

from cc.core import views

urlpatterns = [
    path("", views.index, name="index"),
    path("accounts/login/", LoginView.as_view(template_name="login.html"), name="login"),
    path("accounts/register/", views.register, name="register"),
    path("accounts/confirm/<str:token>/", views.confirm, name="confirm"),
]
