"""Old addresses of Discourse and phpBB, at the root of a site or in a folder of it, and the administrators' page."""

from django.urls import path, re_path

from jeos.server.importing import desk_views, views

urlpatterns = [
    path("administration/imports/", desk_views.imports, name="imports"),
    path("administration/imports/new/", desk_views.start, name="start"),
    path("administration/imports/<int:number>/", desk_views.resume, name="resume"),
    re_path(r"^t/(?:[\w%-]+/)?(?P<number>\d{1,15})(?:/(?P<place>\d{1,9}))?/?$", views.discourse_topic),
    re_path(r"^p/(?P<number>\d{1,15})(?:/\d+)?/?$", views.discourse_post),
    re_path(r"^c/(?:[\w%-]+/)+(?P<number>\d{1,15})(?:/.*)?$", views.discourse_category),
    re_path(r"^u/(?P<name>[\w.%-]{1,60})(?:/.*)?$", views.discourse_member),
    path("tag/<str:name>", views.discourse_tag),
    re_path(r"^(?P<path>uploads/(?:[\w.-]{1,60}/){1,9}[\w.-]{1,100})$", views.discourse_upload),
    re_path(r"^(?:[\w-]{1,40}/)?download/file\.php$", views.phpbb_file),
    re_path(r"^(?:[\w-]{1,40}/)?viewtopic\.php$", views.phpbb_topic),
    re_path(r"^(?:[\w-]{1,40}/)?viewforum\.php$", views.phpbb_forum),
    re_path(r"^(?:[\w-]{1,40}/)?memberlist\.php$", views.phpbb_member),
]
