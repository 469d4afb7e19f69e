"""What every fixed form has: WTForms' own messages in the page's language, and blanks trimmed."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field


def trimmed(value: Any) -> Any:
    """Return text without blanks around it."""
    return value.strip() if isinstance(value, str) else value


class BaseForm(FlaskForm):  # type: ignore[misc]
    """A fixed form. CSRF is checked for every POST by the application, not again here."""

    class Meta:
        """No second token."""

        csrf = False

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Field:
            """Trim text of every field but passwords."""
            if unbound_field.field_class.__name__ in ("StringField", "TextAreaField", "EmailField", "TelField", "SearchField"):
                options["filters"] = [trimmed, *options.get("filters", [])]
            return unbound_field.bind(form=form, **options)
