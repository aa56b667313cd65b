import sys

try:
    from balanced_gan.cli import main
except ModuleNotFoundError as missing:
    sys.exit(f"Error: {missing}. Install what is needed: python -m pip install -r requirements.txt")

if __name__ == "__main__":
    main()
