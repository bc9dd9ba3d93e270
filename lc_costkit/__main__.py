"""How is the command run where scripts are not on the path? ``python -m lc_costkit``."""

from lc_costkit.cli import main

if __name__ == "__main__":
    main()
