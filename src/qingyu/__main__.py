"""`python -m qingyu` is `qingyu`."""

from qingyu.cli import main

if __name__ == "__main__":
    main()
