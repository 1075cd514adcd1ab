"""``make bench``: the sizes and times that are promised, measured here, each beside what it is compared to."""
