"""Addresses of the catalogue. Publishers begin with @, so that no name of theirs is one of ours."""

from django.urls import path

from jeos.server.catalogue.views import appliances, channels, lists, publishers, publishing, reviews

urlpatterns = [
    path("", lists.new, name="new"),
    path("feed.<slug:form>", lists.feed, name="feed"),
    path("starred/", lists.starred, name="starred"),
    path("mine/", lists.mine, name="mine"),
    path("publish", publishing.publish, name="publish-door"),
    path("publish/", publishers.new, name="publish"),
    path("reviews/<int:number>/", reviews.review, name="review"),
    path("reviews/<int:number>/history/", reviews.history, name="review-history"),
    path("@<slug:name>/", publishers.publisher, name="publisher"),
    path("@<slug:name>/-/manage/", publishers.manage, name="manage"),
    path("@<slug:name>/-/seat/", publishers.seat, name="seat"),
    path("@<slug:name>/-/give-up/", publishers.give_up, name="give-up"),
    path("@<slug:name>/-/verify/", publishers.vouch, name="vouch"),
    path("@<slug:name>/-/channel/", channels.new, name="channel-new"),
    path("@<slug:name>/-/domain/", channels.domain, name="domain"),
    path("@<slug:name>/-/hide/", publishers.hide, name="hide"),
    path("@<slug:publisher>/<slug:name>/", appliances.appliance, name="appliance"),
    path("@<slug:publisher>/<slug:name>/feed.<slug:form>", appliances.feed, name="appliance-feed"),
    path("@<slug:publisher>/<slug:name>/star/", appliances.star, name="star"),
    path("@<slug:publisher>/<slug:name>/take-down/", appliances.take_down, name="take-down"),
    path("@<slug:publisher>/<slug:name>/channel/", channels.change, name="channel"),
    path("@<slug:publisher>/<slug:name>/review/", reviews.write, name="review-write"),
    path("@<slug:publisher>/<slug:name>/versions/", appliances.versions, name="versions"),
    path("@<slug:publisher>/<slug:name>/versions/<str:version>/", appliances.version, name="version"),
    path("@<slug:publisher>/<slug:name>/versions/<str:version>/withdraw/", appliances.withdraw, name="withdraw"),
    path("@<slug:publisher>/<slug:name>/versions/<str:version>/sbom/", appliances.bill, name="bill"),
]
