"""A message rendered for its reader and sent by mail: it says that there is something to read, and nothing of a case."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from typing import TYPE_CHECKING

from flask_babel import force_locale
from flask_babel import gettext as _

from engine.messages import Deliverer
from web import words

if TYPE_CHECKING:
    from models import Message
    from web import Application

TIMEOUT_S = 20


def deliverer(app: Application) -> Deliverer | None:
    """Return what sends a message by mail; None where no mail server is set."""
    settings = app.settings
    if not settings.smtp_host:
        return None

    def deliver(message: Message) -> None:
        if not message.person.email:
            return
        with app.app_context(), force_locale(message.person.language or "zh_Hans_CN"):
            mail = EmailMessage()
            mail["Subject"] = _("评审：有一条消息")
            mail["From"], mail["To"] = settings.mail_from, message.person.email
            text = words.message_text(message.kind, message.detail, _("一项任务"))
            head, foot = _("%(name)s：", name=message.person.name), _("请登录查看。")
            mail.set_content(f"{head}\n\n{text}\n\n{foot}\n{settings.public_url}\n")
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_S) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password)
            server.send_message(mail)

    return deliver
