"""Addresses of the ideas."""

from django.urls import path

from jeos.server.ideas.views import ideas, lists, managing

urlpatterns = [
    path("", lists.trending, name="trending"),
    path("feed.<slug:form>", lists.trending_feed, name="feed"),
    path("top/", lists.top, name="top"),
    path("top/feed.<slug:form>", lists.top_feed, name="top-feed"),
    path("new/", lists.new, name="new"),
    path("new/feed.<slug:form>", lists.new_feed, name="new-feed"),
    path("mine/", lists.mine, name="mine"),
    path("roadmap/", lists.roadmap, name="roadmap"),
    path("status/<slug:name>/", lists.by_status, name="status"),
    path("status/<slug:name>/feed.<slug:form>", lists.status_feed, name="status-feed"),
    path("write/", ideas.write, name="write"),
    path("similar/", ideas.similar, name="similar"),
    path("<int:number>/", ideas.idea, name="idea-number"),
    path("<int:number>/vote/", ideas.vote, name="vote"),
    path("<int:number>/edit/", ideas.edit, name="edit"),
    path("<int:number>/history/", ideas.history, name="history"),
    path("<int:number>/answer/", managing.answer, name="answer"),
    path("<int:number>/merge/", managing.merge, name="merge"),
    path("<int:number>/<slug:slug>/", ideas.idea, name="idea"),
]
