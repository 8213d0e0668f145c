"""Records of a CRM as XML."""

AT = "2026-09-01T08:30:00Z"


def record(event: str, more: str = "", **fields: str) -> str:
    usual = {"event": event, "event_id": "e1", "occurred_at": AT, "client_id": "c1"} | fields
    return (
        "<record>" + "".join(f"<{name}>{text}</{name}>" for name, text in usual.items()) + more + "</record>"
    )
