"""Addresses of providers; allauth puts them under `/accounts/`."""

from django.urls import path

from jeos.server.accounts.organisations import views

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", views.login, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", views.callback, name="openid_connect_callback"),
]
