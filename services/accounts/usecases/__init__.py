"""What people can do with their accounts."""

from __future__ import annotations

from dataclasses import dataclass

from services.accounts.usecases.activate import Activate
from services.accounts.usecases.administer import Administer
from services.accounts.usecases.change_email import AskForEmailChange, ConfirmEmail
from services.accounts.usecases.deletions import ReadDeletion, RequestDeletion
from services.accounts.usecases.exports import ReadExport, RequestExport
from services.accounts.usecases.mail_link import OrderLink
from services.accounts.usecases.own_account import ChangeProfile, ReadAccount
from services.accounts.usecases.register import Register
from services.accounts.usecases.second_factor import KeepSecondFactor
from services.accounts.usecases.sessions import Sessions
from services.accounts.usecases.set_password import ChangePassword, ResetPassword
from services.accounts.usecases.sign_in import SignIn
from services.accounts.usecases.unlock import Unlock


@dataclass(frozen=True, slots=True)
class UseCases:
    """What handlers can ask for."""

    register: Register
    activate: Activate
    order_link: OrderLink
    reset_password: ResetPassword
    change_password: ChangePassword
    ask_for_email_change: AskForEmailChange
    confirm_email: ConfirmEmail
    unlock: Unlock
    sign_in: SignIn
    sessions: Sessions
    second_factor: KeepSecondFactor
    read_account: ReadAccount
    change_profile: ChangeProfile
    request_export: RequestExport
    read_export: ReadExport
    request_deletion: RequestDeletion
    read_deletion: ReadDeletion
    administer: Administer
