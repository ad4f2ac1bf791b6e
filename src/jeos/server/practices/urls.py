"""Addresses of the practices."""

from django.urls import path

from jeos.server.practices.views import judging, lists, practices

urlpatterns = [
    path("", lists.proven, name="proven"),
    path("feed.<slug:form>", lists.feed, name="feed"),
    path("top/", lists.top, name="top"),
    path("top/feed.<slug:form>", lists.top_feed, name="top-feed"),
    path("review/", lists.in_review, name="in-review"),
    path("review/feed.<slug:form>", lists.review_feed, name="review-feed"),
    path("mine/", lists.mine, name="mine"),
    path("write/", practices.write, name="write"),
    path("<int:number>/", practices.practice, name="practice-number"),
    path("<int:number>/edit/", practices.edit, name="edit"),
    path("<int:number>/submit/", practices.submit, name="submit"),
    path("<int:number>/history/", practices.history, name="history"),
    path("<int:number>/review/", judging.review, name="review"),
    path("<int:number>/rate/", judging.rate, name="rate"),
    path("<int:number>/renew/", judging.renew, name="renew"),
    path("<int:number>/<slug:slug>/", practices.practice, name="practice"),
    path("ratings/<int:number>/hide/", judging.hide_rating, name="hide-rating"),
]
