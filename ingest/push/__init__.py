"""`POST /v1/ingest/deals` and `/crm`: bridges and CRMs that send by themselves."""
