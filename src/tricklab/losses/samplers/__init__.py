"""Which pixels a loss counts."""
