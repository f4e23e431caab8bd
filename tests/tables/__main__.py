"""`make tables`: write what each product can do into the pages that show it."""

from tests.tables.page import tables, written


def main() -> None:
    """Write every page anew."""
    for page in tables():
        page.write_text(written(page))


if __name__ == "__main__":
    main()
