"""Addresses of the forum."""

from django.urls import path

from jeos.server.forum.views import arranging, feeds, lists, managing, threads, writing

urlpatterns = [
    path("", lists.latest, name="latest"),
    path("feed.<slug:form>", feeds.latest, name="latest-feed"),
    path("unanswered/feed.<slug:form>", feeds.unanswered, name="unanswered-feed"),
    path("c/<slug:slug>/feed.<slug:form>", feeds.category, name="category-feed"),
    path("t/<int:number>/feed.<slug:form>", feeds.thread, name="thread-feed"),
    path("unanswered/", lists.unanswered, name="unanswered"),
    path("unread/", lists.unread, name="unread"),
    path("followed/", lists.followed, name="followed"),
    path("read/", lists.mark_read, name="mark-read"),
    path("new/", writing.new_thread, name="new"),
    path("categories/", arranging.categories, name="categories"),
    path("categories/new/", arranging.new, name="new-category"),
    path("categories/<int:number>/", arranging.edit, name="edit-category"),
    path("categories/<int:number>/move/", arranging.move, name="move-category"),
    path("categories/<int:number>/remove/", arranging.remove, name="remove-category"),
    path("c/<slug:slug>/", lists.category, name="category"),
    path("t/<int:number>/", threads.thread, name="thread-number"),
    path("t/<int:number>/unread/", threads.first_unread, name="first-unread"),
    path("t/<int:number>/mark/", threads.mark, name="mark"),
    path("t/<int:number>/reply/", writing.reply, name="reply"),
    path("t/<int:number>/vote/", threads.vote, name="vote"),
    path("t/<int:number>/manage/", managing.manage, name="manage"),
    path("t/<int:number>/<slug:slug>/", threads.thread, name="thread"),
    path("t/<int:number>/<slug:slug>/<int:page>/", threads.thread, name="thread-page"),
    path("p/<int:number>/", threads.post, name="post"),
    path("p/<int:number>/react/", threads.react, name="react"),
    path("p/<int:number>/solve/", threads.solve, name="solve"),
    path("p/<int:number>/edit/", writing.edit, name="edit"),
    path("p/<int:number>/history/", writing.history, name="history"),
]
