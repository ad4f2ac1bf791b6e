"""Addresses of the administrators' pages."""

from django.urls import path

from jeos.server.administration.views import blocking, jobs, members, overview, site

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("members/", members.members, name="members"),
    path("members/<int:number>/", members.member, name="member"),
    path("members/<int:number>/standing/", members.standing, name="standing"),
    path("members/<int:number>/silence/", members.silence, name="silence"),
    path("members/<int:number>/suspend/", members.suspend, name="suspend"),
    path("members/<int:number>/remove/", members.remove, name="remove"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/tasks/<uuid:task>/", jobs.act_on_task, name="task"),
    path("jobs/mail/<int:number>/", jobs.act_on_mail, name="mail"),
    path("site/", site.site_page, name="site"),
    path("blocked/", blocking.blocked, name="blocked"),
    path("blocked/<int:number>/undo/", blocking.undo, name="undo-block"),
    path("site/invitations/", site.invite, name="invite"),
    path("site/invitations/<int:number>/end/", site.end_invitation, name="end-invitation"),
]
