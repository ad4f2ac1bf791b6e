"""Webhooks: what happens on the site, sent to addresses that members name (Standard Webhooks 1.0)."""
