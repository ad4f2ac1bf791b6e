"""The administrators' pages about categories."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators
from jeos.server.forum import arranging
from jeos.server.forum.forms import CategoryForm
from jeos.server.forum.models import Category

STEPS = {"up": -1, "down": 1}


@require_GET
@for_administrators
def categories(request: HttpRequest, member: Member) -> HttpResponse:
    """List the categories in their order."""
    return render(request, "forum/categories.html", {"rows": list(Category.objects.all()), "at": "categories"})


@for_administrators
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """Make a category."""
    form = CategoryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        arranging.make(form.cleaned_data, actor=member)
        messages.success(request, _("Done, and written into the log."))
        return redirect("forum:categories")
    return render(request, "forum/category_edit.html", {"form": form, "category": None, "at": "categories"})


@for_administrators
def edit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Change a category, or remove an empty one."""
    category = get_object_or_404(Category, pk=number)
    initial = {name: getattr(category, name) for name in arranging.FIELDS}
    form = CategoryForm(request.POST or None, initial=initial, category=category)
    if request.method == "POST" and form.is_valid():
        arranging.change(category, form.cleaned_data, actor=member)
        messages.success(request, _("Done, and written into the log."))
        return redirect("forum:categories")
    return render(request, "forum/category_edit.html", {"form": form, "category": category, "at": "categories"})


@require_POST
@for_administrators
def move(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Put a category one place up or down."""
    step = STEPS.get(request.POST.get("to", ""))
    if step is None:
        raise BadRequest("neither up nor down")
    arranging.move(get_object_or_404(Category, pk=number), step, actor=member)
    return redirect("forum:categories")


@require_POST
@for_administrators
def remove(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Remove a category in which nothing is."""
    try:
        arranging.remove(get_object_or_404(Category, pk=number), actor=member)
    except ValueError:
        messages.warning(request, _("There are threads in it; move them first."))
        return redirect("forum:edit-category", number)
    messages.success(request, _("Removed."))
    return redirect("forum:categories")
