"""`python -m qingyu` is `qingyu`. The processes of a service import this file as they start, and
only it of the command line."""


def main() -> None:
    """The `qingyu` command."""
    from qingyu.cli import main as run

    run()


if __name__ == "__main__":
    main()
