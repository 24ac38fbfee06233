"""The man page of each command, from the command line itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import click

from manual import facts, roff
from os_containers.cli.command import Example
from os_containers.version import VERSION

_HEADLINE = re.compile(r"(.+?)(?:[.;:](?:\s|$)|\n\n|$)", re.DOTALL)

# of [NAME]... or NAME|IMAGE
_ARGUMENT = re.compile(r"[A-Z]+")
_WORD = re.compile(r"[^ ,]+")


@dataclass(frozen=True, slots=True)
class Page:
    """A command, and the names that lead to it: os-containers, images, list."""

    words: tuple[str, ...]
    command: click.Command
    context: click.Context

    @property
    def name(self) -> str:
        return "-".join(self.words)

    @property
    def inner(self) -> list["Page"]:
        """Return the commands of a group, by name; hidden ones are for programs."""
        if not isinstance(self.command, click.Group):
            return []
        names = self.command.list_commands(self.context)
        found = {name: self.command.get_command(self.context, name) for name in names}
        return [self._below(name, one) for name, one in found.items() if one and not one.hidden]

    def _below(self, name: str, command: click.Command) -> "Page":
        return Page((*self.words, name), command, _context(command, name, self.context))

    def walk(self) -> Iterator["Page"]:
        """Yield this command and all below it."""
        yield self
        for one in self.inner:
            yield from one.walk()


def root_page(command: click.Command, name: str) -> Page:
    """Return the page of the program itself."""
    return Page((name,), command, _context(command, name, None))


def headline(command: click.Command) -> str:
    """Return what a command does, in a few words."""
    found = _HEADLINE.match(_text(command))
    return " ".join(found[1].split()) if found else ""


def render(page: Page, *, date: str) -> str:
    """Return the page in man(7)."""
    is_root = len(page.words) == 1
    title = f'.TH {page.name.upper()} 1 "{date}" "os-containers {VERSION}" "os-containers"'
    sections = _root_sections(page) if is_root else _sections(page)
    return "\n".join([title, *(one for one in sections if one)])


def _root_sections(page: Page) -> Iterator[str]:
    yield roff.section("NAME", [f"{roff.escaped(page.name)} \\- {roff.escaped(facts.SUMMARY)}"])
    yield roff.section("SYNOPSIS", [_synopsis(page)])
    yield roff.section("DESCRIPTION", roff.paragraphs(facts.DESCRIPTION))
    yield roff.section("OPTIONS", _options(page))
    yield roff.section("COMMANDS", _commands(page))
    yield roff.section("EXAMPLES", _examples(facts.EXAMPLES))
    yield roff.section("EXIT STATUS", _table(facts.exit_codes()))
    events = [*roff.paragraphs(facts.EVENTS_INTRODUCTION), *_table(facts.EVENTS)]
    yield roff.section("PROGRESS EVENTS", events)
    yield roff.section("ENVIRONMENT", _table(facts.ENVIRONMENT))
    yield roff.section("FILES", _table(facts.FILES))
    yield roff.section("SEE ALSO", [_references(_all_pages(page))])


def _sections(page: Page) -> Iterator[str]:
    yield roff.section(
        "NAME", [f"{roff.escaped(page.name)} \\- {roff.escaped(_lowered(headline(page.command)))}"]
    )
    yield roff.section("SYNOPSIS", [_synopsis(page)])
    yield roff.section("DESCRIPTION", roff.paragraphs(_text(page.command)))
    yield roff.section("ARGUMENTS", _arguments(page))
    yield roff.section("OPTIONS", _options(page))
    yield roff.section("COMMANDS", _commands(page))
    yield roff.section("EXAMPLES", _examples(getattr(page.command, "examples", ())))
    yield roff.section("EXIT STATUS", roff.prose(facts.EXIT_STATUS.get(page.words[-1], facts.ANY_STATUS)))
    yield roff.section("SEE ALSO", [_references(_neighbours(page))])


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _text(command: click.Command) -> str:
    return (command.help or command.short_help or "").replace("\b", "").partition("\f")[0]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _synopsis(page: Page) -> str:
    pieces = page.command.collect_usage_pieces(page.context)
    return " ".join([roff.bold(" ".join(page.words)), *map(roff.italic, pieces)])


def _arguments(page: Page) -> list[str]:
    arguments = [one for one in page.command.params if isinstance(one, click.Argument)]
    words = dict.fromkeys(word for one in arguments for word in _ARGUMENT.findall(one.human_readable_name))
    known = [word for word in words if word in facts.ARGUMENTS]
    return [line for word in known for line in roff.item(roff.italic(word), facts.ARGUMENTS[word])]


def _options(page: Page) -> list[str]:
    lines: list[str] = []
    for parameter in page.command.get_params(page.context):
        record = parameter.get_help_record(page.context)
        if record and isinstance(parameter, click.Option):
            lines += roff.item(_term(record[0]), record[1])
    return lines


def _term(names: str) -> str:
    """Return `-n, --name NAME` with what is typed in bold."""
    return _WORD.sub(lambda one: (roff.bold if one[0].startswith("-") else roff.italic)(one[0]), names)


def _commands(page: Page) -> list[str]:
    lines: list[str] = []
    for one in page.inner:
        lines += roff.item(f"\\fB{roff.escaped(one.name)}\\fR(1)", headline(one.command) + ".")
    return lines


def _examples(examples: tuple[Example, ...]) -> list[str]:
    lines: list[str] = []
    for words, what in examples:
        lines += [
            *([".PP"] if lines else []),
            *roff.prose(what + ":"),
            *roff.code([f"os-containers {words}"]),
        ]
    return lines


def _table(rows: dict[str, str]) -> list[str]:
    return [line for term, what in rows.items() for line in roff.item(roff.bold(term), what)]


def _neighbours(page: Page) -> list[tuple[str, int]]:
    above = ["-".join(page.words[:depth]) for depth in range(1, len(page.words))]
    return [(name, 1) for name in above] + [(one.name, 1) for one in page.inner]


def _all_pages(page: Page) -> list[tuple[str, int]]:
    commands = [(one.name, 1) for one in page.walk() if one.name != page.name]
    by_hand = [(name, 5) for name in facts.PAGES_BY_HAND]
    return [*commands, *by_hand, ("crun", 1), ("skopeo", 1), ("systemctl", 1)]


def _references(names: list[tuple[str, int]]) -> str:
    return ",\n".join(f"\\fB{roff.escaped(name)}\\fR({part})" for name, part in names)
