"""`python -m t4vcodec`."""

from t4vcodec.cli import main

if __name__ == "__main__":
    main(prog_name="t4vcodec")
