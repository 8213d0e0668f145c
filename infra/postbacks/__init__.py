"""Postbacks: endpoints that people keep, and the dispatcher that sends them what is due."""
