"""Channels: releases published as static files, for any web server, and what keeps them in order."""
