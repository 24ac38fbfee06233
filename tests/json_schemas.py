"""What --json printed, against its published schema."""

import json
from typing import Any

import jsonschema


def check_output(printed: str, schema: dict[str, Any]) -> Any:
    """Return what was printed as JSON; it has all that its schema demands, and nothing else."""
    value = json.loads(printed)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(_strict(schema)).validate(value)
    return value


def _strict(schema: Any) -> Any:
    """Return the schema with no room for other keys: a reader allows for them, we know them all."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return closed | {key: _strict(value) for key, value in schema.items()}
