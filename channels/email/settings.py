"""Settings of a mailbox."""

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from channels.base import AdapterSettings
from channels.email.headers import normalise

Tls = Literal["ssl", "starttls", "none"]


class EmailSettings(AdapterSettings):
    """Where mail is read and sent. `imap_password` and `smtp_password` are secrets."""

    address: str = Field(description="Address customers write to, as support@example.com.")
    display_name: str = Field("", max_length=120, description="Name shown beside the address.")
    imap_host: str = Field(description="IMAP server.")
    imap_port: int = Field(993, ge=1, le=65535)
    imap_tls: Tls = "ssl"
    imap_login: str = Field("", description="Empty: the address.")
    imap_password: SecretStr = SecretStr("")
    auth: Literal["password", "google", "microsoft"] = Field(
        "password", description="How to sign in: by password, or by OAuth2 of Google or Microsoft 365."
    )
    oauth_client_id: str = Field("", max_length=300, description="OAuth2: client id of the application.")
    oauth_client_secret: SecretStr = Field(SecretStr(""), description="OAuth2: its secret, if it has one.")
    oauth_tenant: str = Field(
        "", pattern=r"^[A-Za-z0-9.-]{0,100}$", description="Microsoft 365: tenant; empty: any."
    )
    oauth_refresh_token: SecretStr = Field(SecretStr(""), description="OAuth2: refresh token of the mailbox.")
    oauth_url: str = Field(
        "", pattern=r"^(https?://.{3,500})?$", description="Another token endpoint; empty: the provider's."
    )
    imap_folder: str = Field("INBOX", min_length=1, description="Folder to read.")
    smtp_host: str = Field(description="SMTP server.")
    smtp_port: int = Field(465, ge=1, le=65535)
    smtp_tls: Tls = "ssl"
    smtp_login: str = Field("", description="Empty: the IMAP login, when there is a password; else no login.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Empty: the IMAP password.")
    smtp_auth: bool = Field(True, description="Log in before sending.")
    plus_addressing: bool = Field(
        False, description="The mailbox takes address+anything@domain: answers are found by a signed address."
    )
    answer_all: bool = Field(False, description="Answers go to those in Cc of the customer's mail, too.")
    show_agent: bool = Field(False, description="The agent's name stands beside the display name.")
    first_days: int = Field(1, ge=0, le=365, description="Days to look back when connected first; 0: none.")
    rescan_days: int = Field(30, ge=1, le=3650, description="Days to look back when the server renumbers.")
    idle_seconds: int = Field(240, ge=1, le=300, description="Longest wait for a push before looking anyway.")
    max_mail_mb: int = Field(25, ge=1, le=100, description="Larger mails: only headers and text are read.")

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        normal = normalise(value)
        if not normal:
            raise ValueError("not an e-mail address")
        return normal

    @model_validator(mode="after")
    def _no_proxy(self) -> Self:
        if self.http.proxy or self.http.base_url:
            raise ValueError("mail servers are reached directly: proxy and base_url do not apply")
        return self

    @property
    def domain(self) -> str:
        """Domain of our own address, in ASCII."""
        return self.address.rpartition("@")[2]

    def imap_credentials(self) -> tuple[str, str]:
        """Login and password for IMAP."""
        return self.imap_login or self.address, self.imap_password.get_secret_value()

    def smtp_credentials(self) -> tuple[str, str] | None:
        """Login and password for SMTP, None for none."""
        password = self.smtp_password.get_secret_value() or self.imap_password.get_secret_value()
        if not self.smtp_auth or not password:
            return None
        return self.smtp_login or self.imap_credentials()[0], password
