"""What would the kit save on real support questions? The parts of ``costkit demo``."""
