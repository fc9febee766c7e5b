"""
What mails say: `templates/mail/KIND.txt` and `KIND.html`.

The first line of the text template is the subject. Both know the mail's recipient and the issuer, `link` and `token` where
there is one, and the params of the kind; a name that a template uses and nobody gives is an error, not a gap.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from idp.domain.accounts.mails import Letter, MailKind, QueuedMail


class TemplateLetters:
    """Every template is read at the start, so that a missing one is found then."""

    def __init__(self, folder: Path, issuer: str) -> None:
        # Jinja escapes in the HTML templates alone: in a plain text `&amp;` would be what people read.
        templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.globals["issuer"] = issuer
        self._texts = {kind: templates.get_template(f"{kind}.txt") for kind in MailKind}
        self._pages = {kind: templates.get_template(f"{kind}.html") for kind in MailKind}

    def write(self, mail: QueuedMail, recipient: str, **known: object) -> Letter:
        values = {"address": None, "recipient": recipient, "asked_at": mail.created_at, **mail.params, **known}
        subject, _, text = self._texts[mail.kind].render(values).partition("\n")
        return Letter(
            id=mail.id,
            recipient=recipient,
            subject=subject.strip(),
            text=text.strip() + "\n",
            html=self._pages[mail.kind].render(values | {"subject": subject.strip()}),
            link=str(known["link"]) if known.get("link") else None,
        )
