"""Values that are set and that nothing in the image asks for: their names may be mistyped."""

from os_containers.deployment import template
from os_containers.deployment.exports import read_export
from os_containers.deployment.values import FORCED, Origin, Value
from os_containers.deployment.variables import all_templates
from os_containers.errors import ImageError, UsageError
from os_containers.operations.draft import Draft
from os_containers.suggestions import suggestion


def check_settings(draft: Draft) -> None:
    """Raise UsageError for a value set now that nothing asks for; what was set before stays."""
    settings, previous = draft.blueprint.settings, draft.blueprint.previous
    fresh = {name for name, text in settings.items() if previous.get(name) != Value(text, Origin.SET)}
    known = _known_names(draft) if fresh else set()
    unused = sorted(fresh - known)
    if known and unused:
        meant = sorted(known - FORCED)
        hint = suggestion(unused[0], meant, otherwise="images info shows what can be set")
        raise UsageError(f"nothing in the image uses {unused[0]}, so it cannot be set", hint=hint)


def _known_names(draft: Draft) -> set[str]:
    """Return the names that mean something to the image; none when its templates cannot be read."""
    exports, limit = draft.exports, draft.system.config.deployment.template
    names = {*exports.manifest.defaults(), *draft.generated}
    try:
        templates = all_templates(exports, lambda one: read_export(draft.rootfs, one, limit=limit) or b"")
        return names.union(*(template.variables(text, source=one) for one, text in templates.items()))
    except ImageError:
        # told where it matters: a user has no host files
        return set()
