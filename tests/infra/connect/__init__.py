"""Tests of infra/connect."""
