"""Faults at every point of every operation, on a booted host, with the real program and no hooks in it.

    __main__.py     make torture: boots a host, runs the parts in it, prints the table
    images.py       the images that are installed, updated and pulled meanwhile
    table.py        what was tried and what was found, as a table
    inside/         runs in the host: one long process, so that a round costs nothing but the commands
        __main__.py     the parts, one after the other; tells one JSON object a line
        command.py      the program's own commands, with their time
        snapshot.py     everything that must be as before or as after
        operation.py    what an operation is; what is done to the store and to a container without the program
        of_image.py     the operations, and the way back to the state before each: of an image's container,
        of_package.py   of one that a package brings, updated over and given back,
        of_root.py      of one that has a root file system of the host
        judge.py        before, after, or a third state
        trace.py        strace: which calls there are, and a fault at one of them
        kills.py        (a) SIGKILL at every call
        errors.py       (b) an error instead of every call
        doubles.py      (c) killed, and the recovery killed or met by an error
        interrupted.py  the states that a kill leaves, one for each way of recovery
        full_disk.py    (d) a small file system runs full
        delays.py       (e) SIGKILL at random moments, with a service that runs
        together.py     (f) commands at the same time
        lint.py         (g) each rename with its fsync before and after

A round: the operation with one fault, `recover`, `check`, a snapshot that must equal the one before or the
one after the operation without faults, then the operation once more without a fault. The images toggle, so
that the end of a round is the start of the next.

What strace does: the counter of `when=N` is one for each thread and each system call. With `-f` it would
count in the children too and kill systemctl instead of us, so only the main thread is traced, where all the
work is done (threads talk to skopeo only); calls are counted one by one, not as a set. The kill comes
before the call has done anything.
"""
