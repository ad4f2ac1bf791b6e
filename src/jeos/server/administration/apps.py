"""The administrators' pages as a section of the site."""

from jeos.server.section import Section


class Administration(Section):
    """What administrators see and do; sections above add pages of their own through `desk`."""

    name = "jeos.server.administration"
    label = "administration"
    prefix = "administration"

    def ready(self) -> None:
        """Register the pages of this section."""
        from jeos.server.administration import desk  # views can be named only now

        desk.register_own()
