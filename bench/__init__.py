"""What the figures in the documentation come from: each script compares two ways side by side, in one run."""
