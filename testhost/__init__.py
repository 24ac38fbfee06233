"""Disposable Debian machines that boot systemd in two seconds, for tests and for the demonstration.

    storage.py    where trees are kept: a btrfs image on a loop device, so that a copy takes no time
    roots.py      root file systems of Debian suites, made once and cached
    source.py     the source tree, and what of it a package is made of
    debian_package.py   that package, built in a clean root and judged
    rpm_package.py      an RPM of it
    program.py    installed into a root the way a user would
    unpackaged.py a host without the package's unit
    machine.py    Host: boot, run commands, read and write files, power off, leave nothing behind
    terminal.py   a command on a pseudo-terminal
    inventory.py  every file of a host, to prove that nothing was left behind
    traces.py     every process, mount, control group, container and unit, for the same
    registry.py   a registry inside a host, plain and with TLS
    layout.py     OCI image layouts, written by hand
    images.py     the etcd system container images
    demo.py       the whole session, every claim checked

And virtual machines, with a kernel of their own, half a minute to boot, and a power cord to pull:

    kernel.py           Debian's cloud kernel, and an initrd for it
    disk_image.py       a tree -> a disk with ext4 or xfs
    volatile_disk.py    a disk that forgets what was not flushed when its power goes
    nbd.py              serves it to the emulator
    virtual_machine.py  qemu, seen through its serial console
    powercut.py         rounds of working, cut, booting and checking
    powercut_machine.py the machine of a round, prepared in the test host
    powercut_guest.py   what runs in it: checks, then works
    powercut_story.py   what it tells, and what its next boot may find

Standard library only; run by /usr/bin/python3 as root.
"""
