"""`python -m jeos` is the command `jeos`."""

from jeos.cli.main import entry

if __name__ == "__main__":
    entry()
