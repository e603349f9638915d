"""The mailer, put together."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from services.chassis.addresses import parse_address
from services.chassis.problems import Invalid
from services.chassis.service import Built, Chassis, Service
from services.chassis.settings import ProcessSettings, WrongSetting
from services.mailer import events, store
from services.mailer.clients.smtp import SmtpClient, read_url
from services.mailer.composing import Sender
from services.mailer.dispatch import Dispatcher
from services.mailer.handlers.messages import INTERNAL_ROUTES
from services.mailer.people import MailOfPeople
from services.mailer.rendering import Renderer
from services.mailer.settings import Settings
from services.mailer.store import Store
from services.mailer.usecases import UseCases
from services.mailer.usecases.queue_message import QueueMessage
from services.mailer.usecases.read_message import ReadMessage
from services.mailer.usecases.send_message import SendMessage


async def build(chassis: Chassis, settings: Settings) -> Built:
    """Wire the mailer."""
    kept_for = timedelta(days=settings.mail_kept_days)
    messages = Store(chassis.database, kept_for=kept_for)
    sender = _sender(settings, chassis.process)
    smtp = SmtpClient(read_url(_smtp_url(settings, chassis.process)), our_name=sender.address.domain)
    send_message = SendMessage(
        store=messages,
        renderer=Renderer(chassis.process.url),
        carrier=smtp,
        sender=sender,
        hash_address=partial(chassis.secrets.keyed_hash, "mailer.suppressions"),
        clock=chassis.clock,
        give_up_after=timedelta(hours=settings.mail_give_up_hours),
        suppressed_for=kept_for,
    )
    dispatcher = Dispatcher(
        messages,
        send_message,
        at_once=settings.mail_senders,
        clock=chassis.clock,
        metrics=chassis.metrics,
        log=chassis.log,
    )
    chassis.database.on_commit(dispatcher.wake)
    queue_message = QueueMessage(messages, chassis.clock)
    await events.listen(chassis.bus, queue_message)
    return Built(
        uses=UseCases(queue_message, ReadMessage(messages)),
        checks={"smtp": smtp.check},
        jobs=(dispatcher.run, dispatcher.measure),
        people=MailOfPeople(messages),
    )


def _smtp_url(settings: Settings, process: ProcessSettings) -> str:
    if not settings.smtp_url and process.production:
        raise WrongSetting("Set SMTP_URL to the mail server, smtps://user:password@host")
    return settings.smtp_url or f"smtp://127.0.0.1:{process.sandbox_smtp_port}"


def _sender(settings: Settings, process: ProcessSettings) -> Sender:
    if settings.mail_from == Settings().mail_from and process.production:
        raise WrongSetting("Set RUNNERLY_MAIL_FROM to the e-mail address that our mail is from")
    try:
        return Sender(settings.mail_from_name, parse_address(settings.mail_from))
    except Invalid:
        raise WrongSetting("Set RUNNERLY_MAIL_FROM to the e-mail address that our mail is from") from None


SERVICE = Service(
    name="mailer",
    summary="Mail that goes out",
    prefixes=(),
    routes=(),
    internal_routes=INTERNAL_ROUTES,
    settings=Settings,
    collections=store.COLLECTIONS,
    build=build,
    people=MailOfPeople,
)
