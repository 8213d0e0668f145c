"""Reports, explanations, the portal, payouts and postbacks over the ledger."""
