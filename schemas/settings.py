"""Settings of every process: environment variables `IBFLOW_…`, or a `.env` file beside you."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.errors import Unusable
from schemas.kafka import KafkaAddress, Mechanism, Protocol, SignIn
from schemas.link_settings import LinkSettings

TLS_NAMES = ("CA", "CERT", "KEY")


class TlsFiles(NamedTuple):
    """PEM files of one side of a TLS connection: whom it trusts, and who it is itself."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


def check_files(named: Mapping[str, Path | None]) -> None:
    """Raise `Unusable` for a variable whose file is not there, and a certificate without its key."""
    for name, path in named.items():
        if path is not None and not path.is_file():
            raise Unusable(f"there is no file {path}, which {name} names")
    _, (cert, cert_file), (key, key_file) = named.items()
    if (cert_file is None) != (key_file is None):
        raise Unusable(f"{cert} and {key} go together: a certificate and its key")


class Settings(LinkSettings):
    """One model for all processes; each reads what it needs."""

    model_config = SettingsConfigDict(env_prefix="IBFLOW_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(
        Path(".ibflow"), description="Folder of everything local: Kafka, ClickHouse, logs."
    )
    kafka: str = Field(
        "", description="Kafka bootstrap servers `host:port,…`; empty: the local one in `data_dir`."
    )
    kafka_protocol: Protocol = Field(
        "PLAINTEXT",
        description="How to speak to the Kafka of `kafka`; all but PLAINTEXT know who it is.",
    )
    kafka_mechanism: Mechanism = Field("SCRAM-SHA-512", description="How the password is shown, for SASL_….")
    kafka_user: str = Field("", description="Who this process is to Kafka, for SASL_….")
    kafka_password: SecretStr = Field(SecretStr(""), description="Its password.")
    kafka_ca: Path | None = Field(
        None, description="PEM file of certificates to trust, for …SSL; none: those of the system."
    )
    kafka_cert: Path | None = Field(
        None, description="PEM file of this process's own certificate, for a Kafka that asks for one (mTLS)."
    )
    kafka_key: Path | None = Field(None, description="PEM file of its key, without a passphrase.")
    partitions: int = Field(8, ge=1, le=1024, description="Partitions of each book, fixed at first start.")
    replication: int = Field(1, ge=1, le=9, description="Replicas of each topic.")
    clickhouse: str = Field(
        "",
        repr=False,  # its password
        description="ClickHouse DSN `clickhouse://user:password@host:8123/db`, with TLS"
        " `clickhouses://…:8443/db`; empty: chDB in `data_dir`.",
    )
    clickhouse_ca: Path | None = Field(
        None, description="PEM file of certificates to trust, for a DSN `clickhouses://…` (TLS)."
    )
    clickhouse_cert: Path | None = Field(
        None, description="PEM file of this process's own certificate, for a ClickHouse that asks for one."
    )
    clickhouse_key: Path | None = Field(None, description="PEM file of its key, without a passphrase.")
    clickhouse_cluster: str = Field(
        "",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="Cluster of that ClickHouse: its replicas keep all tables, its shards divide large ones;"
        " empty: one server.",
    )
    store: Literal["memory", "rocksdb"] = Field(
        "rocksdb", description="Where a worker keeps its state: `memory` is faster and grows with every deal."
    )
    api_host: str = Field("127.0.0.1", description="Address the API listens on.")
    api_port: int = Field(8080, ge=0, le=65535, description="Port the API listens on; 0: any free one.")
    api_token: SecretStr = Field(
        SecretStr(""), description="Bearer token of the API; needed unless the API listens on loopback only."
    )
    operators_file: Path | None = Field(
        None, description="YAML file of people with tokens of their own: who created, who approved."
    )
    operator_token: SecretStr = Field(
        SecretStr(""), description="Your own token of that file, for the commands that ask the server."
    )
    token_file: Path | None = Field(
        None, description="File with the token for those commands; before the variables, if it is named."
    )
    url: str = Field(
        "", description="Server that commands ask, `https://…`; empty: the one that runs in `data_dir`."
    )
    session_idle_minutes: int = Field(
        30, ge=1, le=1_440, description="Minutes of rest after which a browser signs in again."
    )
    session_hours: int = Field(12, ge=1, le=168, description="Hours after which it does in any case.")
    oidc_issuer: str = Field(
        "",
        pattern=r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?[^\s?#]*)?$",
        description="Address of the OpenID Connect provider that people may sign in by; empty: none.",
    )
    oidc_client_id: str = Field("", description="Who ibflow is to that provider.")
    oidc_client_secret_file: Path | None = Field(
        None, description="File of ibflow's secret there; none: a public client, by PKCE alone."
    )
    oidc_redirect_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+/sign-in/oidc/back)?$",
        description="Where the provider sends browsers back: `https://HOST/sign-in/oidc/back`.",
    )
    oidc_claim: Literal["email", "preferred_username", "sub"] = Field(
        "email",
        description="What of the provider's token is the name here; an e-mail is to be verified.",
    )
    ib_levels: int = Field(
        64, ge=0, le=64, description="How many levels below itself an IB sees when it signs in; 0: itself."
    )
    pseudonym_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the pseudonyms that clients and accounts have in statements' files; empty: none.",
    )
    payee_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys of payee details, base64, commas between, the newest first; empty: none are kept.",
    )
    payers_file: Path | None = Field(
        None, description="YAML file of the accounts that payouts are paid from; none: CSV and XLSX only."
    )
    approvers_file: Path | None = Field(
        None, description="YAML file of who approves payouts, up to how much; none: anybody, anything."
    )
    parties_file: Path | None = Field(
        None, description="YAML file of broker and IBs as the law names them, for statements as PDF."
    )
    sanctions_file: Path | None = Field(
        None,
        description="Text file of names, one a line, that warn before a payout; none: nobody is compared.",
    )
    reward_percent: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="Warn before a payout to an IB that earned more than this percent of what its clients"
        " brought in the period; none: nobody is compared.",
    )
    credit_url: str = Field(
        "",
        description="Address of the bridge that credits trading accounts, `https://…`; empty: none.",
    )
    credit_token: SecretStr = Field(SecretStr(""), description="Bearer token that this bridge wants.")
    bridges_file: Path | None = Field(
        None, description="YAML file of bridges and CRMs that may push, with their tokens; none: no push."
    )
    terms_dir: Path | None = Field(
        None, description="Folder of terms YAML: what the push endpoint knows of its bridges' servers."
    )
    push_host: str = Field("127.0.0.1", description="Address `ibflow receive` listens on.")
    push_port: int = Field(8081, ge=0, le=65535, description="Its port; 0: any free one.")
    postbacks: Path | None = Field(
        None, description="YAML file of postback endpoints, loaded into the log at each start."
    )
    postback_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys of endpoints' secrets, base64, the newest first; empty: no postbacks.",
    )
    postback_proxy: str = Field(
        "", description="Egress proxy `http://host:port` that every postback goes through; empty: none."
    )
    postback_private: bool = Field(
        default=False, description="Whether endpoints of the API may be private addresses; for tests only."
    )

    @property
    def token(self) -> str:
        """What a command shows the server: a person's own token, else the shared one; "" is none."""
        return self.operator_token.get_secret_value() or self.api_token.get_secret_value()

    def state_dir(self, instance: str) -> Path | None:
        """Folder of one worker's state; None if it is kept in memory."""
        return self.data_dir / "state" / instance if self.store == "rocksdb" else None

    @property
    def chdb_dir(self) -> Path:
        """Folder of the embedded ClickHouse."""
        return self.data_dir / "clickhouse"

    def for_worker(self) -> dict[str, str]:
        """What a worker process reads, as its environment: each, so that no `.env` says otherwise."""
        kafka = [f"kafka_{name}" for name in ("protocol", "mechanism", "user", "ca", "cert", "key")]
        plain = ("data_dir", "kafka", *kafka, "partitions", "replication", "store")
        given = {name: getattr(self, name) for name in plain}
        given["kafka_password"] = self.kafka_password.get_secret_value()
        return {f"IBFLOW_{name.upper()}": str(one) for name, one in given.items() if one is not None}

    def kafka_address(self) -> KafkaAddress:
        """The Kafka of `kafka` and who this process is there; raise `Unusable` for contradictions."""
        password = self.kafka_password.get_secret_value()
        files = [str(path) if path is not None else "" for path in self._kafka_files.values()]
        sign_in = SignIn(self.kafka_protocol, self.kafka_mechanism, self.kafka_user, password, *files)
        if sign_in.has_sasl != bool(sign_in.user and password):
            told = "needs" if sign_in.has_sasl else "has no use for"
            raise Unusable(
                f"IBFLOW_KAFKA_PROTOCOL={sign_in.protocol} {told} IBFLOW_KAFKA_USER and IBFLOW_KAFKA_PASSWORD"
            )
        for name, path in self._kafka_files.items():
            if path is not None and not sign_in.has_tls:
                raise Unusable(f"IBFLOW_KAFKA_PROTOCOL={sign_in.protocol} has no use for {name}")
        check_files(self._kafka_files)
        return KafkaAddress(self.kafka, sign_in)

    @property
    def _kafka_files(self) -> dict[str, Path | None]:
        """By variable, in the order in which `SignIn` takes them."""
        files = self.kafka_ca, self.kafka_cert, self.kafka_key
        return {f"IBFLOW_KAFKA_{name}": path for name, path in zip(TLS_NAMES, files, strict=True)}

    def clickhouse_files(self) -> "TlsFiles":
        """What a client of the ClickHouse of `clickhouse` trusts and shows; raise `Unusable` if it cannot."""
        files = TlsFiles(self.clickhouse_ca, self.clickhouse_cert, self.clickhouse_key)
        check_files({f"IBFLOW_CLICKHOUSE_{name}": path for name, path in zip(TLS_NAMES, files, strict=True)})
        return files

    @property
    def kafka_dir(self) -> Path:
        """Folder of the local Kafka."""
        return self.data_dir / "kafka"


class OwnSettings(Settings):
    """Settings that only their maker decides: neither the environment nor a `.env` has a say."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override] # the others are passed by name
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 # part of the hook
        init_settings: PydanticBaseSettingsSource,
        **_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given."""
        return (init_settings,)
