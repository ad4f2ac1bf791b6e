"""The API as a section of the site."""

from jeos.server.section import Section


class Api(Section):
    """What programs may do here."""

    name = "jeos.server.api"
    label = "api"
    prefix = "api"
