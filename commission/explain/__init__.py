"""Why a row of the ledger exists, or why a deal pays nothing."""
