"""Reports, explanations, the portal, payout files and postbacks over the ledger."""
