"""What the administrators' pages bring for templates."""

from jeos.server.administration import desk

NAMES = {"desk_tabs": desk.tabs}
