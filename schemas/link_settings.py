"""Settings of tracking links and their clicks: a part of `Settings`."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class LinkSettings(BaseSettings):
    """What the server that redirects reads, and who makes links."""

    click_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys that mark click ids, base64, the newest first; empty: no tracking links.",
    )
    landing_hosts: str = Field(
        "",
        description="Hosts that tracking links may lead to, commas between: `broker.com`, `*.broker.com`.",
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Address that people know this server by, for links.",
    )
    link_window_days: int = Field(30, ge=1, le=3_650, description="How long a click counts, for new links.")
    link_conflict: Literal["crm", "click"] = Field(
        "crm", description="Who wins where CRM and click name different IBs, for new links."
    )
    link_proxies: str = Field(
        "", description="Addresses of proxies whose X-Forwarded-For tells who clicks, commas between."
    )
    link_rate: int = Field(200, ge=0, description="Clicks a second of one network (/24, /48); 0: no limit.")
    click_spool_mb: int = Field(
        256, ge=1, le=100_000, description="Clicks on disk while Kafka is away; beyond it links answer 503."
    )
