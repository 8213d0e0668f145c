"""For every test: a slow machine is not a failure, so random tests have no deadline each."""

from hypothesis import settings

settings.register_profile("ibflow", deadline=None)
settings.load_profile("ibflow")
