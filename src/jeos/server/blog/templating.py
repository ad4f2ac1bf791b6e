"""What the templates of blogs call: addresses, and counts in words."""

from django.utils.translation import ngettext

from jeos.server.blog.models import blog_url, post_url, series_url


def minutes_to_read(minutes: int) -> str:
    """Return how long a post takes to read."""
    return ngettext("{n} minute to read", "{n} minutes to read", minutes).format(n=minutes)


def comment_count(count: int) -> str:
    """Return how many comments there are."""
    return ngettext("{n} comment", "{n} comments", count).format(n=count)


NAMES: dict[str, object] = {
    "blog_url": blog_url,
    "post_url": post_url,
    "series_url": series_url,
    "minutes_to_read": minutes_to_read,
    "comment_count": comment_count,
}
