"""Tests of the pure core: rules worked out by hand, and laws."""
