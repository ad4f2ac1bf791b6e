"""The section of background work."""

from jeos.server.section import Section


class Jobs(Section):
    """Mail and everything else that is done after the answer."""

    name = "jeos.server.jobs"
    label = "jobs"
