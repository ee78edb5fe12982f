"""tricklab schema: JSON Schema of recipes, for editors."""

from __future__ import annotations

import json


def command() -> None:
    """JSON Schema of recipes with every known component, for completion and checks in an editor.

    Examples:

      tricklab schema > recipe.schema.json

      first line of a recipe:  # yaml-language-server: $schema=recipe.schema.json
    """
    from tricklab.recipe import editor_schema
    from tricklab.tricks import catalogue

    print(json.dumps(editor_schema([trick.name for trick in catalogue()]), indent=2))
