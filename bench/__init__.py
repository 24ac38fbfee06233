"""How fast we are, beside podman and beside what the machine can do at all: make bench.

    __main__.py    command line: which rows, how many rounds
    big_image.py   the image that is pulled: Debian with compilers, git, a JDK and SciPy
    layers.py      what was added to a root file system since the last look, as a layer
    rebuilt.py     the same image built anew: every layer has another digest, few files differ
    small_images.py    made-up images, for stores with many and for growth
    blobs.py       files as blobs of an OCI layout
    disk.py        a fresh file system for every measured run
    measure.py     a program's wall time, CPU time and peak memory; several of them, by turns
    program.py     os-containers in an environment of its own, as a person installs it
    driver.py      runs in that environment: a part of os-containers, timed
    inside.py      runs in a booted host: measures a program there
    podman.py      podman with its store on the fresh file system
    registry.py    a registry on loopback
    limit.py       what only does the work: igzip, tar, cp
    setting.py     what every row works with
    rows.py        all rows, by name
    row_*.py       what they measure, and against what
    result.py      figures, their goals, and the files in results/
    table.py       the figures as a table
    picture.py     the figures as an SVG picture

It is a benchmark and no test: it tells whether a goal is met and fails for none. Contestants alternate, the
median of all rounds counts, and ratios tell more than seconds. Images are cached, as test hosts are.
Standard library only; run by /usr/bin/python3 as root.
"""
