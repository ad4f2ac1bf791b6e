"""Addresses of the wiki. Names of pages never begin with a hyphen, so that what is no page has one in front."""

from django.urls import path

from jeos.server.wiki.views import feeds, history, lists, managing, pages, writing

urlpatterns = [
    path("", pages.start, name="start"),
    path("-/pages/", lists.every, name="every"),
    path("-/changes/", lists.changes, name="changes"),
    path("-/changes/feed.<slug:form>", feeds.changes, name="changes-feed"),
    path("-/wanted/", lists.wanted, name="wanted"),
    path("-/wanted/feed.<slug:form>", feeds.wanted, name="wanted-feed"),
    path("-/orphans/", lists.orphans, name="orphans"),
    path("-/orphans/feed.<slug:form>", feeds.orphans, name="orphans-feed"),
    path("-/new/", writing.new, name="new"),
    path("-/rules/", managing.rules_page, name="rules"),
    path("<str:name>/", pages.page, name="page"),
    path("<str:name>/edit/", writing.edit, name="edit"),
    path("<str:name>/seen/", pages.seen, name="seen"),
    path("<str:name>/links/", lists.links_here, name="links"),
    path("<str:name>/history/", history.history, name="history"),
    path("<str:name>/history/feed.<slug:form>", feeds.history, name="history-feed"),
    path("<str:name>/compare/", history.compare, name="compare"),
    path("<str:name>/version/<int:version>/", history.version, name="version"),
    path("<str:name>/version/<int:version>/revert/", writing.revert, name="revert"),
    path("<str:name>/version/<int:version>/hide/", managing.hide_version, name="hide-version"),
    path("<str:name>/manage/", managing.manage, name="manage"),
]
