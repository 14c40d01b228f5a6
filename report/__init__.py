"""The completion report of a request: what its ledger proves, in words for the people who answer for it."""
