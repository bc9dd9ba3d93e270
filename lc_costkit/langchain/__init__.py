"""The LangChain face: thin adapters over the core; ``from lc_costkit import ...`` reaches them."""
