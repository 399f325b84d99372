"""From a run to a report: what its network responds to, and whether the progression holds."""
