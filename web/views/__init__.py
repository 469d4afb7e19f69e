"""One blueprint per area, named as in `engine/`; the first word of an address is the module."""

from web.views import (
    account,
    accountability,
    attachments,
    calendar,
    cases,
    conclusions,
    home,
    incidents,
    journal,
    messages,
    notices,
    organisations,
    packets,
    people,
    procedures,
    profiles,
    rectifications,
    sign_in,
    work_items,
)

BLUEPRINTS = tuple(
    module.views
    for module in (
        account,
        accountability,
        attachments,
        calendar,
        cases,
        conclusions,
        home,
        incidents,
        journal,
        messages,
        notices,
        organisations,
        packets,
        people,
        procedures,
        profiles,
        rectifications,
        sign_in,
        work_items,
    )
)
