"""Kafka's address and how clients sign in there: the one place that every client's options come from."""

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a client proves who it is, and how it knows the broker."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    """Certificates to trust, PEM; "" trusts those of the system."""
    cert_file: str = ""
    """The client's own certificate, PEM, for a broker that asks for one; "" shows none."""
    key_file: str = ""
    """Its key, PEM, without a passphrase."""

    @property
    def has_tls(self) -> bool:
        """Whether the broker shows a certificate."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def has_sasl(self) -> bool:
        """Whether the client shows a name and a password."""
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def tls(self) -> ssl.SSLContext | None:
        """A context that checks the broker's certificate and its name, and shows the client's own."""
        if not self.has_tls:
            return None
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


class KafkaAddress(str):
    """Bootstrap servers that know how to sign in; as text, and in messages, only the servers."""

    __slots__ = ("sign_in",)
    sign_in: SignIn

    def __new__(cls, servers: str, sign_in: SignIn) -> Self:
        """`host:port,…` and how to sign in there."""
        address = super().__new__(cls, servers)
        address.sign_in = sign_in
        return address

    def __reduce__(self) -> tuple[type[Self], tuple[str, SignIn]]:
        """To another process it goes with its sign-in."""
        return type(self), (str(self), self.sign_in)


def sign_in_of(kafka: str) -> SignIn:
    """How to sign in at an address; plain text is a broker that asks nobody."""
    return kafka.sign_in if isinstance(kafka, KafkaAddress) else SignIn()


def client_config(kafka: str) -> dict[str, Any]:
    """What every client of confluent-kafka is given: where, and who it is."""
    sign_in = sign_in_of(kafka)
    config: dict[str, Any] = {"bootstrap.servers": str(kafka), "security.protocol": sign_in.protocol}
    if sign_in.has_tls and sign_in.ca_file:
        config["ssl.ca.location"] = sign_in.ca_file
    if sign_in.has_tls and sign_in.cert_file:
        config |= {
            "ssl.certificate.location": sign_in.cert_file,
            "ssl.key.location": sign_in.key_file,
        }
    if sign_in.has_sasl:
        config |= {
            "sasl.mechanism": sign_in.mechanism,
            "sasl.username": sign_in.user,
            "sasl.password": sign_in.password,
        }
    return config


def async_config(kafka: str) -> dict[str, Any]:
    """The same for a client of aiokafka."""
    sign_in = sign_in_of(kafka)
    config: dict[str, Any] = {
        "bootstrap_servers": kafka.split(","),
        "security_protocol": sign_in.protocol,
        "ssl_context": sign_in.tls(),
    }
    if sign_in.has_sasl:
        config |= {
            "sasl_mechanism": sign_in.mechanism,
            "sasl_plain_username": sign_in.user,
            "sasl_plain_password": sign_in.password,
        }
    return config
