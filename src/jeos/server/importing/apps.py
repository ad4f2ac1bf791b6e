"""Importing as a section of the site: at the root, since old addresses were there."""

from jeos.server.section import Section


class Importing(Section):
    """What came from other forums, and where its old addresses lead."""

    name = "jeos.server.importing"
    label = "importing"
