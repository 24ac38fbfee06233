"""An image on the way to a deployment: its templates, a value for each of their variables, the unit."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from os_containers.deployment import structure, template, values
from os_containers.deployment.accounts import Account, find_account
from os_containers.deployment.exports import Exports
from os_containers.deployment.stop_signal import stop_signal
from os_containers.deployment.values import Origin, Value
from os_containers.deployment.variables import unit_variables
from os_containers.errors import AUTHOR, ImageError, OsContainersError, UsageError
from os_containers.host import unit
from os_containers.image.manifest import ContainerConfig
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.system import System
from os_containers.paths import Mode


@dataclass(frozen=True)
class Draft:
    """What an image exports and asks for, and what is rendered of it; rootfs is where its files are."""

    system: System
    blueprint: Blueprint
    rootfs: Path
    exports: Exports

    @cached_property
    def wanted(self) -> ContainerConfig:
        """Return what the image config asks for."""
        image = self.blueprint.image
        return image.image_config().container if image else ContainerConfig()

    @cached_property
    def account(self) -> Account:
        """Return who the container runs as by default."""
        return find_account(self.rootfs, self.wanted.user)

    @property
    def has_service(self) -> bool:
        return not self.exports.manifest.no_container_service

    @property
    def state_directory(self) -> Path:
        """Return where the volumes are."""
        return self.blueprint.volumes or Path(self.texts["STATE_DIRECTORY"])

    @cached_property
    def generated(self) -> dict[str, str]:
        """Return the values that an image need not declare."""
        return values.generate(
            self.system.paths,
            name=self.blueprint.name,
            runtime=self.blueprint.runtime.path,
            previous=self.blueprint.previous,
        )

    @cached_property
    def values(self) -> dict[str, Value]:
        """Return the value of every variable; the command lines need some of the others first."""
        blueprint, image = self.blueprint, self.blueprint.image
        decided = values.decide(
            mode=self.system.mode,
            settings=blueprint.settings,
            defaults=self.exports.manifest.defaults(),
            generated=self.generated,
            forced=values.forced(
                blueprint.name,
                path=blueprint.path,
                image_id=image.digest.hex if image else "",
                image_name=image.name if image else str(blueprint.root),
            ),
        )
        commands = blueprint.runtime.service_commands(
            blueprint.name,
            # by the link: so an update leaves the unit as it is, and systemd has nothing to load again
            self.system.container(blueprint.name).link,
            pid_file=Path(decided["PIDFILE"].text) if self._uses_pid_file() else None,
            stop_signal=stop_signal(self.wanted),
        )
        lines = unit.exec_variables(commands).items()
        return decided | {name: Value(text, Origin.FORCED) for name, text in lines}

    @cached_property
    def texts(self) -> dict[str, str]:
        return values.texts(self.values)

    def render(self, text: bytes, name: str, places: structure.Places) -> bytes:
        """Return one of the templates with its values, each of which stays where the template puts it."""
        source = f"exports/{name}"
        rendered = template.render(
            text, self.texts, source=source, limit=self.system.config.deployment.rendered
        )
        for misfit in structure.misfits(text, self.texts, places, source=source):
            raise _misfit_error(misfit, self.values[misfit.variable].origin, source)
        return rendered

    @cached_property
    def unit(self) -> str:
        """Return the unit: the image's own, rendered, or the default one."""
        service_template = self.exports.service_template or unit.default_service_template(
            mode=self.system.mode, stop_signal=stop_signal(self.wanted)
        )
        text = self.render(service_template, "service.template", structure.unit_places).decode(
            errors="surrogateescape"
        )
        unit.check_unit(text)
        text = unit.stop_at_ease(text, self.texts["EXEC_STOP"])
        text = unit.clean_up_after(text, self.texts["EXEC_START"], self.texts["EXEC_STOPPOST"])
        text = unit.for_user(text) if self.system.mode is Mode.USER else text
        root = self.blueprint.root
        return f"{text}{unit.render_needs(str(root))}" if root else text

    def _uses_pid_file(self) -> bool:
        # as the predecessors decide it: such a unit is of Type=forking
        return {"PIDFILE", "EXEC_STOPPOST"} <= unit_variables(self.exports)


def _misfit_error(misfit: structure.Misfit, origin: Origin, source: str) -> OsContainersError:
    """Return the error for who decided a value that a template has no room for."""
    fact = f"{source}:{misfit.line}: the value of {misfit.variable} {misfit.why}"
    if origin in {Origin.SET, Origin.GENERATED}:
        return UsageError(fact, hint=f"give another with --set {misfit.variable}=VALUE")
    return ImageError(fact, hint=AUTHOR)
