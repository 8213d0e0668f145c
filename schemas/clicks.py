"""Clicks on tracking links, as the redirect tells them."""

from typing import Annotated

from msgspec import Meta, field

from commission.value import TaggedValue, Text, Time

MAX_PARAMS = 30
"""Parameters of a click's URL that are kept: as many as a registration may have."""
MAX_PARAM_CHARS = 200
MAX_NAME_CHARS = 64


class LinkClicked(TaggedValue, tag="link_clicked"):
    """Somebody was sent on to a landing page. Who it was, nobody can tell: the address is of a network."""

    click_id: Text
    link: Text
    """Its code."""
    ib_id: Text
    campaign: Text = ""
    occurred_at: Time
    network: Text = ""
    """The address as far as it is kept: `203.0.113.0/24`, `2001:db8:1::/48`."""
    bot: Text = ""
    """The word of its user agent that gave it away; "" of a person, as far as we can tell."""
    is_duplicate: bool = False
    """Of the same network and browser on the same link, a moment after another."""
    params: Annotated[dict[Text, Text], Meta(max_length=MAX_PARAMS)] = field(default_factory=dict)
    """The URL's parameters."""
    dropped: int = 0
    """How many of them are missing above: too many, or too long."""
