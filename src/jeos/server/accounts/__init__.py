"""Accounts: members, how they sign in, what they want to be told, and their right to leave."""
