"""Sections: the apps of the server, found by their folder.

A section is a package of `jeos.server` with an `apps.py` that holds one subclass of `Section`. It is installed, its
`urls.py` is mounted under `prefix`, and its title stands in the navigation, without a line elsewhere.
"""

import importlib
import importlib.util
import pkgutil

from django.apps import AppConfig, apps
from django.utils.functional import Promise

PACKAGE = "jeos.server"
FIRST = ("accounts", "jobs", "content")  # the others stand on these; the order decides whose templates win


class Section(AppConfig):
    """One app of the server."""

    default = False  # Django looks for the one configuration in an `apps.py`: the subclass there, not this class
    default_auto_field = "django.db.models.BigAutoField"
    prefix = ""  # of its addresses, as "forum"; empty mounts them at the root
    title: str | Promise = ""  # what the navigation calls it; empty keeps it out
    order = 100  # its place in the navigation, small first
    home = ""  # the view that is the site's front page, as "views.latest"; one section at most has it

    def __init_subclass__(cls, **options: object) -> None:
        """Let a subclass be the configuration of its app."""
        super().__init_subclass__(**options)
        cls.default = True

    def has_addresses(self) -> bool:
        """Tell whether the section has pages of its own."""
        return importlib.util.find_spec(f"{self.name}.urls") is not None


def names() -> list[str]:
    """Return the modules of all sections, those that others stand on first."""
    package = importlib.import_module(PACKAGE)
    found = [
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if module.ispkg and importlib.util.find_spec(f"{PACKAGE}.{module.name}.apps") is not None
    ]
    ordered = [name for name in FIRST if name in found] + sorted(set(found) - set(FIRST))
    return [f"{PACKAGE}.{name}" for name in ordered]


def sections() -> list[Section]:
    """Return the installed sections in the order of the navigation."""
    found = [config for config in apps.get_app_configs() if isinstance(config, Section)]
    return sorted(found, key=lambda section: (section.order, section.label))
