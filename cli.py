import click


@click.group()
def main() -> None:
    """t4vcodec."""
