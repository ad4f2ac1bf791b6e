"""Addresses of what spans all sections."""

from django.urls import path

from jeos.server.content import comment_views, feed_views, file_views, moderation_views, views
from jeos.server.content.mailing import views as mailing

urlpatterns = [
    path("tags/", views.tag_list, name="tags"),
    path("tag-suggestions/", views.tag_suggestions, name="tag-suggestions"),
    path("tags/<str:name>/", views.tag_page, name="tag"),
    path("tags/<str:name>/feed.<slug:form>", feed_views.tag, name="tag-feed"),
    path("m/<str:handle>/feed.<slug:form>", feed_views.member, name="member-feed"),
    path("tags/<str:name>/edit/", moderation_views.edit_tag, name="tag-edit"),
    path("search/", views.search_page, name="search"),
    path("search/feed.<slug:form>", feed_views.found, name="search-feed"),
    path("notifications/", views.notification_page, name="notifications"),
    path("notifications/seen/", views.see_notifications, name="see-notifications"),
    path("bookmarks/", views.bookmarks, name="bookmarks"),
    path("bookmark/<int:kind>/<int:number>/", views.bookmark, name="bookmark"),
    path("follow/<slug:what>/<int:number>/", views.follow, name="follow"),
    path("flag/<int:kind>/<int:number>/", views.flag, name="flag"),
    path("comment/<int:kind>/<int:number>/", comment_views.write, name="comment-write"),
    path("comments/<int:number>/", comment_views.comment, name="comment"),
    path("comments/<int:number>/edit/", comment_views.edit, name="comment-edit"),
    path("comments/<int:number>/history/", comment_views.history, name="comment-history"),
    path("files/", file_views.own, name="files"),
    path("files/<slug:key>/", file_views.about, name="file"),
    path("files/<slug:key>/small/", file_views.small, name="file-small"),
    path("files/<slug:key>/remove/", file_views.remove, name="file-remove"),
    path("files/<slug:key>/<str:name>", file_views.send, name="file-itself"),
    path("faces/<slug:digest>.webp", file_views.face, name="face"),
    path("settings/picture/", file_views.set_face, name="set-face"),
    path("preview/", views.preview, name="preview"),
    path("draft/", views.save_draft, name="draft"),
    path("mail/stop/<str:token>/", mailing.stop, name="mail-stop"),
    path("language/", views.language, name="language"),
    path("moderation/", moderation_views.queue, name="queue"),
    path("moderation/log/", moderation_views.log, name="log"),
    path("moderation/<int:number>/decide/", moderation_views.decide, name="decide"),
    path("moderation/<int:number>/undo/", moderation_views.undo, name="undo"),
]
