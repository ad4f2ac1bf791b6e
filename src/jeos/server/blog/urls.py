"""Addresses of blogs. Those of a member begin with @, so that no handle can be taken for a page of the site."""

from django.urls import path

from jeos.server.blog.views import feeds, lists, posts, writing

urlpatterns = [
    path("", lists.planet, name="planet"),
    path("feed.<slug:form>", feeds.planet, name="planet-feed"),
    path("followed/", lists.followed, name="followed"),
    path("all/", lists.blogs, name="blogs"),
    path("all/feed.<slug:form>", feeds.blogs, name="blogs-feed"),
    path("own/", lists.own, name="own"),
    path("about/", lists.describe, name="describe"),
    path("write/", writing.write, name="write"),
    path("p/<int:number>/", posts.permanent, name="permanent"),
    path("p/<int:number>/feed.<slug:form>", feeds.comments, name="comments-feed"),
    path("p/<int:number>/edit/", writing.edit, name="edit"),
    path("p/<int:number>/withdraw/", writing.withdraw, name="withdraw"),
    path("p/<int:number>/delete/", writing.delete, name="delete"),
    path("p/<int:number>/react/", posts.react, name="react"),
    path("p/<int:number>/hide/", posts.hide, name="hide"),
    path("p/<int:number>/history/", posts.history, name="history"),
    path("@<slug:handle>/", lists.blog, name="blog"),
    path("@<slug:handle>/feed.<slug:form>", feeds.blog, name="blog-feed"),
    path("@<slug:handle>/series/<slug:slug>/", lists.series, name="series"),
    path("@<slug:handle>/series/<slug:slug>/feed.<slug:form>", feeds.series, name="series-feed"),
    path("@<slug:handle>/<int:number>/<slug:slug>/", posts.post, name="post"),
]
