"""Postbacks: milestones told to partners' trackers, signed, retried, and never to a private address."""
