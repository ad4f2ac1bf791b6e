"""Addresses of a member's webhooks."""

from django.urls import path

from jeos.server.webhooks import views

urlpatterns = [
    path("", views.hooks, name="list"),
    path("new/", views.new, name="new"),
    path("<int:number>/", views.hook, name="hook"),
    path("<int:number>/edit/", views.edit, name="edit"),
    path("<int:number>/test/", views.test, name="test"),
    path("<int:number>/secret/", views.secret, name="secret"),
    path("<int:number>/switch/", views.switch, name="switch"),
    path("<int:number>/remove/", views.remove, name="remove"),
    path("<int:number>/again/<int:delivery>/", views.again, name="again"),
]
