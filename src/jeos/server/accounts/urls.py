"""Addresses of members and their settings."""

from django.urls import path

from jeos.server.accounts import views
from jeos.server.accounts.organisations import views as organisations

urlpatterns = [
    path("m/<slug:handle>/", views.member, name="member"),
    path("invited/<str:code>/", views.invited, name="invited"),
    path("settings/", views.profile, name="profile"),
    path("settings/tokens/", views.tokens, name="tokens"),
    path("settings/tokens/<int:number>/remove/", views.remove_token, name="remove-token"),
    path("settings/organisations/", organisations.organisations, name="organisations"),
    path("settings/organisations/<slug:name>/connect/", organisations.connect, name="connect"),
    path("settings/organisations/<int:number>/disconnect/", organisations.disconnect, name="disconnect"),
    path("settings/data/", views.data, name="data"),
    path("settings/data/download/", views.download, name="download"),
]
