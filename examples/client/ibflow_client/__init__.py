"""A typed client of ibflow's API: `Client("http://127.0.0.1:8080", "token").get_statements(ib="A")`."""

from . import models
from .connection import Connection, Paged, ProblemError, pages
from .operations import VERSION, Client

__all__ = ["VERSION", "Client", "Connection", "Paged", "ProblemError", "models", "pages"]
