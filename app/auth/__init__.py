"""Accounts, tokens and tiers."""
