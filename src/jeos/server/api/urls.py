"""Addresses of the API and of its description."""

from django.urls import path

from jeos.server.api import pages
from jeos.server.api.frame import api

urlpatterns = [
    path("", pages.reference, name="reference"),
    path("v1/", api().urls),
]
