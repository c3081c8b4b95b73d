"""As much of JSON Schema 2020-12 as our OpenAPI document uses; a keyword that is not known here is an error."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

Schema = Mapping[str, Any]
Json = Any  # whatever a JSON document may hold
WORDS = {"title", "description", "default", "example", "examples", "contentMediaType"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def resolved(document: Schema, schema: Schema) -> Schema:
    """`schema`, or what it refers to."""
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        schema = document["components"]["schemas"][name]
    return schema


def faults(document: Schema, schema: Schema, value: Json, at: str = "$") -> list[str]:
    """Where `value` is not what `schema` says. A member that no schema names is a fault too."""
    schema = resolved(document, schema)
    if "anyOf" in schema:
        attempts = [faults(document, option, value, at) for option in schema["anyOf"]]
        return [] if any(not attempt for attempt in attempts) else [f"{at}: fits nothing of anyOf: {attempts}"]
    found = _fault(document, "type", schema["type"], value, at) if "type" in schema else []
    if found:
        return found
    for keyword, wanted in schema.items():
        found += _fault(document, keyword, wanted, value, at)
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{at}.{name}: not documented" for name in value if name not in schema["properties"]]
    return found


def _fault(document: Schema, keyword: str, wanted: Json, value: Json, at: str) -> list[str]:
    if keyword in WORDS:
        return []
    if keyword == "properties":
        members = value if isinstance(value, dict) else {}
        known = [name for name in wanted if name in members]
        return [fault for name in known for fault in faults(document, wanted[name], members[name], f"{at}.{name}")]
    if keyword == "items":
        return [
            fault for number, item in enumerate(value) for fault in faults(document, wanted, item, f"{at}[{number}]")
        ]
    checks: dict[str, Callable[[], bool]] = {
        "type": lambda: isinstance(value, TYPES[wanted]) and (not isinstance(value, bool) or wanted == "boolean"),
        "required": lambda: all(name in value for name in wanted),
        "enum": lambda: value in wanted,
        "const": lambda: value == wanted,
        "minimum": lambda: value >= wanted,
        "maximum": lambda: value <= wanted,
        "minLength": lambda: len(value) >= wanted,
        "maxItems": lambda: len(value) <= wanted,
        "maxLength": lambda: len(value) <= wanted,
        "pattern": lambda: re.search(wanted, value) is not None,
        "format": lambda: _has_format(wanted, value),
    }
    return [] if checks[keyword]() else [f"{at}: {keyword} {wanted!r} does not hold for {value!r}"]


def _has_format(name: str, value: str) -> bool:
    if name == "date":
        return date.fromisoformat(value).isoformat() == value
    if name == "email":
        return re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value) is not None
    if name == "password":  # says how to show it
        return True
    assert name == "date-time", name
    rfc_3339 = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
    return rfc_3339 is not None and datetime.fromisoformat(value).tzinfo is not None


def example(document: Schema, schema: Schema) -> Json:
    """The example that a reader or a mock server takes from `schema`; KeyError where it has none."""
    schema = resolved(document, schema)
    for keyword in ("example", "const", "default"):
        if keyword in schema:
            return schema[keyword]
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return example(document, schema["anyOf"][0])
    if schema.get("type") == "null":
        return None
    if schema.get("type") == "object":
        return {name: example(document, member) for name, member in schema["properties"].items()}
    if schema.get("type") == "array":
        return [example(document, schema["items"])]
    raise KeyError(schema.get("title", "a schema has no example"))
