"""Addresses of the browsers that show notifications."""

from django.urls import path

from jeos.server.push import views

urlpatterns = [
    path("", views.browsers, name="list"),
    path("worker.js", views.worker, name="worker"),
    path("add/", views.add, name="add"),
    path("<int:number>/test/", views.test, name="test"),
    path("<int:number>/remove/", views.remove, name="remove"),
]
