"""`python -m idp` is the program `idp`."""

from idp.cli import main

if __name__ == "__main__":
    main()
