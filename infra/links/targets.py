"""Where links lead, each taken apart when it is first clicked."""

from collections.abc import Callable, Mapping

from api.link_desk import KnownLink
from api.links.landing import Hosts, Landing, check_landing
from api.links.redirect import Target


class Targets:
    """Links as the redirect needs them; another version of one is taken apart anew."""

    def __init__(self, links: Callable[[], Mapping[str, KnownLink]], hosts: str) -> None:
        """`links` are those known by now, whether or not their log can be read; `hosts` may be led to."""
        self._links, self._hosts = links, Hosts.from_text(hosts)
        self._targets: dict[str, Target] = {}

    def find(self, code: str) -> Target | None:
        """The link of a code; None if there is none, or the books do not have it yet."""
        known = self._links().get(code)
        if known is None or not known.told:
            return None
        target = self._targets.get(code)
        if target is None or target.link is not known.saved:
            target = self._targets[code] = self._made(known)
        return target

    def _made(self, known: KnownLink) -> Target:
        link = known.saved
        try:
            check_landing(link.landing, self._hosts)
        except ValueError:  # its host was taken off the list
            return Target(link, None)
        return Target(link, Landing(link.landing, passes_query=link.passes_query))
