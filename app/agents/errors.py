"""What can go wrong with people: logins, names, the last administrator."""

from app.core.errors import Conflict, Forbidden, Unauthenticated


class WrongLogin(Unauthenticated):
    """Unknown e-mail, wrong password, deactivated, bot: the answers are alike on purpose."""

    code, title = "wrong_login", "E-mail or password is wrong."


class Csrf(Forbidden):
    code, title = "csrf", "Send the header `X-Otklik: 1`, from a page of this server."


class PasswordChangeRequired(Forbidden):
    """The password was made by somebody else: with it one can only choose an own one."""

    code, title = "password_change_required", "Choose a password of your own first: PATCH /api/v1/me."


class EmailTaken(Conflict):
    code, title = "email_taken", "Another agent has this e-mail."


class NameTaken(Conflict):
    code, title = "name_taken", "Another team has this name."


class LastAdmin(Conflict):
    code, title = "last_admin", "Somebody has to stay administrator: make another one first."
