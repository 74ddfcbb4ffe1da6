"""How fast Stratavox embeds clips, beside a notebook's way and beside the limit."""
